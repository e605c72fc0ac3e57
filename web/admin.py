"""The base of the admin's pages: nothing is deleted, a refusal is an error of the form, nonsense is no 500.

Also the page between a button and what it does, the page “History”, and the switches of the running system.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import display_for_field
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import User
from django.core.exceptions import FieldDoesNotExist
from django.db import DataError, NotSupportedError, ProgrammingError
from django.db.models import DateField, ForeignKey, Model, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.forms import BoundField
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from waffle.models import Switch

from web import database, flags, log_position
from web.actors import Actor, Source
from web.limits import is_id
from web.refusals import Refusal

admin.site.site_header = admin.site.site_title = "幸福氣 Lucky Gas"

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    ModelForm = forms.ModelForm[Any]
    Inline = admin.TabularInline[Any, Any]
else:
    ModelAdmin, ModelForm, Inline = admin.ModelAdmin, forms.ModelForm, admin.TabularInline

# What a page may change with one click; Django takes at most 1,000 fields in one form.
MOST_AT_ONCE = 500
OVERTAKEN = _(
    "Someone else changed this to “%(now)s” after you opened the page. Please reopen the page and make "
    "your change again."
)
# What a page that asks first lists of its subjects, and a page “History” of changes.
MOST_SHOWN, MOST_CHANGES = 20, 200
EMPTY = "–"
# django-waffle's own words, which it has in no Chinese.
WORDS = (
    gettext_noop("Switch"), gettext_noop("Name"), gettext_noop("Active"), gettext_noop("Note"), gettext_noop("Created"),
    gettext_noop("Modified"), gettext_noop("The human/computer readable name."),
    gettext_noop("Is this switch active?"), gettext_noop("Note where this Switch is used."),
)  # fmt: skip


def user_of(request: HttpRequest) -> User:
    """Who asks; the admin lets only signed-in staff in."""
    return cast("User", request.user)


def actor(request: HttpRequest) -> Actor:
    return Actor(by=user_of(request), source=Source.ADMIN)


def column_of(options: Any, lookup: str) -> str:
    """`driver` of `driver__id__exact`, `driver__name` of `driver__name__contains`; empty where it is no column."""
    path: list[str] = []
    for part in lookup.split(LOOKUP_SEP):
        try:
            field = options.pk if part == "pk" else options.get_field(part)
        except FieldDoesNotExist:
            break
        # The key of another row is in the column that names that row.
        if not (path and field.primary_key):
            path.append(field.name)
        if not field.is_relation:
            break
        options = field.related_model._meta
    return LOOKUP_SEP.join(path)


@dataclass(frozen=True, slots=True)
class Button:
    """Above a form: at once (`posts`), or a link to a page that asks first."""

    label: str | Promise
    url: str
    posts: bool = True
    hidden: dict[str, Any] = field(default_factory=dict)


class HouseForm(ModelForm):
    """Shown again with the refusal, where the house refused what it said.

    The values that were shown come back with it: only what the reader changed is written, and what somebody else wrote
    meanwhile stays. Where both changed the same, it is said and nothing is written.
    """

    refusal: Refusal | None = None
    merges = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for bound in self.fields.values():
            bound.show_hidden_initial = self.merges and self.instance.pk is not None
            # One label stands for both, day and hour.
            for part in getattr(bound.widget, "widgets", ()):
                part.attrs["aria-label"] = bound.label

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        for bound in filter(self._was_shown, self):
            if bound.name not in self.changed_data:
                cleaned.pop(bound.name, None)
            elif self._was_overtaken(bound):
                now = bound.field.prepare_value(bound.initial)
                self.add_error(bound.name, OVERTAKEN % {"now": now})
        if self.refusal is not None:
            attr = self.refusal.attr
            self.add_error(attr if attr in self.fields else None, str(self.refusal))
        return cleaned

    def _was_shown(self, bound: BoundField) -> bool:
        hidden = bound.field.hidden_widget()
        shown = bound.field.show_hidden_initial
        return shown and not hidden.value_omitted_from_data(self.data, self.files, bound.html_initial_name)

    def _was_overtaken(self, bound: BoundField) -> bool:
        """Whether the row holds neither what was shown nor what was said."""
        shown = bound.field.hidden_widget().value_from_datadict(self.data, self.files, bound.html_initial_name)
        return not any(self._holds(bound, value) for value in (shown, bound.data))

    def _holds(self, bound: BoundField, said: Any) -> bool:
        """But for white space: of what came by the API, browsers change the ends of lines, or leave them out."""
        now = bound.field.prepare_value(bound.initial)
        if isinstance(now, str):
            return "".join(now.split()) == "".join(str(said).split())
        return not bound.field.has_changed(bound.initial, said)


# What becomes of an odd address of a list: the year 9999 has none after it, PostgreSQL has no text with NUL, a range
# has two ends.
NONSENSE = (ValueError, TypeError, LookupError, ArithmeticError, DataError, ProgrammingError, NotSupportedError)


class HouseChangeList(ChangeList):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().__init__(*args, **kwargs)
        except NONSENSE as error:
            raise IncorrectLookupParameters(error) from error


class ReadOnly:
    """For pages and inlines: nobody writes history, whatever their rights."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


class HouseList(ModelAdmin):
    """A list that nonsense in the address or in the selection does not break.

    It says by itself which rows have changed since it was loaded (realtime's changed-marks.js).
    """

    is_pk: Callable[[str], bool] = staticmethod(is_id)
    # What a link of ours asks of this list beside what it shows and filters by.
    asked_for: tuple[str, ...] = ()

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """What the list shows and filters by: asked letter by letter, any other column would tell what it holds."""
        if not {"regex", "iregex"}.isdisjoint(lookup.split(LOOKUP_SEP)):
            return False
        named = (one[0] if isinstance(one, tuple) else one for one in self.list_filter)
        shown = {self.date_hierarchy, *self.list_display, *self.asked_for, *named, self.opts.pk.name}
        return column_of(self.opts, lookup) in shown

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        # Read before the rows: a change in between is then marked, and not lost.
        live = {"live_since": log_position.position(), "live_read": timezone.now().isoformat()}
        return super().changelist_view(request, live | (extra_context or {}))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return HouseChangeList

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if len(chosen) > MOST_AT_ONCE or not all(map(self.is_pk, chosen)):
            self.message_user(request, gettext("This selection cannot be read. Please select again."), messages.ERROR)
            return None
        return super().response_action(request, queryset)


class HouseAdmin(HouseList):
    form = HouseForm
    list_per_page = 50
    # Counting a whole table to show how much a filter leaves out is not worth its price.
    show_full_result_count = False
    change_form_template = "admin/house_change_form.html"
    object_history_template = "admin/house_history.html"
    # Pages besides Django's, by their route: the end of the URL's name; the method `<end>_view` answers.
    pages: Mapping[str, str] = {}

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, end: str) -> URLPattern:
            view = self.admin_site.admin_view(getattr(self, f"{end}_view"))
            return path(route, view, name=f"{self.opts.app_label}_{self.opts.model_name}_{end}")  # type: ignore[no-any-return]

        return [*(page(route, end) for route, end in self.pages.items()), *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not even a superuser: what is no longer wanted is cancelled or deactivated."""
        return False

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """With the values before and after, for what is audited."""
        told = story(self.model, object_id) if hasattr(self.model, "audit") and self.is_pk(object_id) else None
        return super().history_view(request, object_id, {"story": told} | (extra_context or {}))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """For a change the row is held, so that the form is applied to what is there and not to what was read."""
        found = super().get_object(request, object_id, from_field)
        if found is not None and request.method == "POST":
            found.refresh_from_db(from_queryset=self.model._default_manager.select_for_update(no_key=True))
        return found

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"refusal": getattr(request, "refusal", None)})

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """A refusal takes back all of the change; the same form then says it."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Refusal as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, *args, **kwargs)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        obj = context.get("original")
        may = obj is not None and self.has_change_permission(request, obj)
        context["buttons"] = self.buttons(request, obj) if may else []
        return super().render_change_form(request, context, *args, **kwargs)

    def buttons(self, request: HttpRequest, obj: Any) -> Sequence[Button]:
        """What may be done to `obj` besides saving the form, by who may change it."""
        return ()

    def chosen(self, request: HttpRequest, rows: QuerySet[Any]) -> list[int]:
        """The ids of the rows of an action; none, and a message, where they are too many."""
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        if len(ids) <= MOST_AT_ONCE:
            return ids
        said = gettext("Please select at most %d. Nothing was changed.") % MOST_AT_ONCE
        self.message_user(request, said, messages.ERROR)
        return []


class Deactivation(HouseAdmin):
    """For rows with `is_active`."""

    actions = ("deactivate",)

    @admin.action(description=_("Deactivate"), permissions=["change"])
    def deactivate(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """One by one, so that everyone who listens hears of it."""
        chosen = self.model._default_manager.filter(pk__in=self.chosen(request, rows), is_active=True)
        with database.long_work(lambda: list(chosen.order_by("pk").select_for_update(no_key=True))) as found:
            for row in found:
                row.is_active = False
                row.save(update_fields=["is_active"])
                self.log_change(request, row, [{"changed": {"fields": ["is_active"]}}])
                self.deactivated(request, row)

    def deactivated(self, request: HttpRequest, row: Any) -> None:
        """Says what is to be known of a row that was deactivated."""
        self.message_user(request, gettext("%s is no longer active.") % row, messages.SUCCESS)


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}))


def ask(
    request: HttpRequest,
    model_admin: ModelAdmin,
    *,
    title: str,
    form: forms.Form,
    subjects: Sequence[object],
    back: str,
    hidden: Sequence[tuple[str, object]] = (),
) -> HttpResponse:
    """`hidden` are further fields of the post; `back` is where “no” leads."""
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": title,
        "form": form,
        "media": model_admin.media + form.media,
        "subjects": subjects[:MOST_SHOWN],
        "more": max(0, len(subjects) - MOST_SHOWN),
        "back": back,
        "hidden": hidden,
    }
    return TemplateResponse(request, "admin/ask.html", context)


@dataclass(frozen=True, slots=True)
class Difference:
    label: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One change; before the first one there was nothing."""

    at: datetime
    who: str
    source: str
    is_first: bool
    differences: list[Difference] = field(default_factory=list)


def story(model: type[Model], pk: str) -> list[Entry]:
    """The newest MOST changes of one row, the newest first; one query, and one for each table that a change left."""
    historic = model.audit.model  # type: ignore[attr-defined]  # of web.audit
    references = [column for column in historic.tracked_fields if isinstance(column, ForeignKey)]
    rows = historic.objects.filter(id=pk).select_related("history_user", *(column.name for column in references))
    newest = list(rows.order_by("-history_id")[:MOST_CHANGES])
    left = {column.attname: referred(column, newest) for column in references}
    return [entry(row, left) for row in newest]


def referred(column: Any, rows: list[Any]) -> dict[Any, Any]:
    """What the column named before these changes, by key."""
    keys = {row.before.get(column.attname) for row in rows} - {None}
    found: dict[Any, Any] = column.related_model._base_manager.in_bulk(keys)
    return found


def entry(row: Any, left: dict[str, dict[Any, Any]]) -> Entry:
    user, source = row.history_user, row.history_change_reason
    who = (user.get_full_name() or user.get_username()) if user else EMPTY
    is_first, found = row.history_type == "+", list(differences(row, left))
    if not is_first and (now := getattr(row, "items", "")) and now != (before := row.before.get("items", "")):
        found.append(Difference(str(_("items")), before or EMPTY, now))
    return Entry(row.history_date, who, str(dict(Source.choices).get(source, source)), is_first, found)


def differences(row: Any, left: dict[str, dict[Any, Any]]) -> Iterator[Difference]:
    """By what the save itself found: what the row before says may be older (SQL, another release) or missing."""
    for column in row.tracked_fields:
        if (name := column.attname) not in row.before:
            continue
        before = row.before[name]
        if isinstance(column, DateField):  # which is JSON's one type less; of moments too
            before = column.to_python(before)
        if before == getattr(row, name):
            continue
        if name in left:
            before = left[name].get(before)
        yield Difference(str(column.verbose_name), shown(before, column), shown(getattr(row, column.name), column))


def shown(value: Any, column: Any) -> Any:
    return str(value) if isinstance(column, ForeignKey) and value else display_for_field(value, column, EMPTY)


@admin.register(Switch)
class SwitchAdmin(HouseAdmin):
    list_display = ("name", "active", "meaning", "modified")
    fields = ("name", "meaning", "active", "note")
    readonly_fields = ("name", "meaning")
    ordering = ("id",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """The program knows the names that mean something."""
        return False

    @admin.display(description=_("meaning"))
    def meaning(self, switch: Switch) -> str | Promise:
        return flags.MEANINGS.get(switch.name, "–")
