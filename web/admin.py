"""Base classes for the admin's pages.

They delete no rows, show a `Refusal` as a form error, and ignore a malformed query string. The module also has the
confirmation page, the page “History”, and the admin of the feature switches.
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

# The maximum number of rows that one action may change. Django accepts at most 1,000 fields in one form.
MAX_AT_ONCE = 500
EDIT_CONFLICT = _(
    "This was changed to “%(now)s” after you opened the page. Please reopen the page and make your change again."
)
# The maximum number of rows that a confirmation page lists, and of changes that a page “History” lists.
MAX_SHOWN, MAX_CHANGES = 20, 200
EMPTY = "–"
# django-waffle has no Chinese translation. These lines put its texts into our catalogue.
WAFFLE_TEXTS = (
    gettext_noop("Switch"), gettext_noop("Name"), gettext_noop("Active"), gettext_noop("Note"), gettext_noop("Created"),
    gettext_noop("Modified"), gettext_noop("The human/computer readable name."),
    gettext_noop("Is this switch active?"), gettext_noop("Note where this Switch is used."),
)  # fmt: skip


def user_of(request: HttpRequest) -> User:
    """The signed-in user. Always exists, because only signed-in staff can open the admin."""
    return cast("User", request.user)


def actor(request: HttpRequest) -> Actor:
    return Actor(by=user_of(request), source=Source.ADMIN)


def column_of(options: Any, lookup: str) -> str:
    """The column part of a lookup: `driver` for `driver__id__exact`, `driver__name` for `driver__name__contains`.

    Empty if the lookup names no column.
    """
    path: list[str] = []
    for part in lookup.split(LOOKUP_SEP):
        try:
            field = options.pk if part == "pk" else options.get_field(part)
        except FieldDoesNotExist:
            break
        # `driver__id` is stored in the column `driver`.
        if not (path and field.primary_key):
            path.append(field.name)
        if not field.is_relation:
            break
        options = field.related_model._meta
    return LOOKUP_SEP.join(path)


@dataclass(frozen=True, slots=True)
class Button:
    """A button above a form. It sends the fields `hidden` to `url` by POST.

    With `posts=False` it is a link to the confirmation page at `url`.
    """

    label: str | Promise
    url: str
    posts: bool = True
    hidden: dict[str, Any] = field(default_factory=dict)


class BaseAdminForm(ModelForm):
    """A form that shows a `Refusal` as an error and merges concurrent edits.

    The form of an existing row also posts the initial values of its fields. Only fields that the user changed are
    written, so edits that somebody else saved meanwhile stay. If both set the same field to different values, the form
    shows an error and writes nothing. With `merges = False` a form writes every field.
    """

    refusal: Refusal | None = None
    merges = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for bound in self.fields.values():
            bound.show_hidden_initial = self.merges and self.instance.pk is not None
            # The inputs for date and time share one visible label.
            for part in getattr(bound.widget, "widgets", ()):
                part.attrs["aria-label"] = bound.label

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        for bound in filter(self._has_initial_value, self):
            if bound.name not in self.changed_data:
                cleaned.pop(bound.name, None)
            elif self._is_conflict(bound):
                now = bound.field.prepare_value(bound.initial)
                self.add_error(bound.name, EDIT_CONFLICT % {"now": now})
        if self.refusal is not None:
            attr = self.refusal.attr
            self.add_error(attr if attr in self.fields else None, str(self.refusal))
        return cleaned

    def _has_initial_value(self, bound: BoundField) -> bool:
        """Whether the request has the value that the form showed for this field."""
        hidden = bound.field.hidden_widget()
        shown = bound.field.show_hidden_initial
        return shown and not hidden.value_omitted_from_data(self.data, self.files, bound.html_initial_name)

    def _is_conflict(self, bound: BoundField) -> bool:
        """Whether the row now holds neither the value that the form showed nor the submitted one."""
        shown = bound.field.hidden_widget().value_from_datadict(self.data, self.files, bound.html_initial_name)
        return not any(self._holds(bound, value) for value in (shown, bound.data))

    def _holds(self, bound: BoundField, value: Any) -> bool:
        """Whether the row holds `value`. Ignores white space, because browsers change the line ends of texts."""
        now = bound.field.prepare_value(bound.initial)
        if isinstance(now, str):
            return "".join(now.split()) == "".join(str(value).split())
        return not bound.field.has_changed(bound.initial, value)


# The exceptions that the malformed query string of a list page can raise. Examples: the year 9999 has no next year,
# PostgreSQL stores no NUL, and a range needs two ends.
MALFORMED_QUERY = (ValueError, TypeError, LookupError, ArithmeticError, DataError, ProgrammingError, NotSupportedError)


class BaseChangeList(ChangeList):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().__init__(*args, **kwargs)
        except MALFORMED_QUERY as error:
            raise IncorrectLookupParameters(error) from error


class ReadOnly:
    """Mixin for pages and inlines. Nobody may add, change or delete their rows, whatever the user's permissions."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


class BaseListAdmin(ModelAdmin):
    """A list page. It redirects a malformed query string to the whole list, and shows an error for a bad selection.

    The script changed-marks.js of the app `realtime` marks the rows that changed since the page was loaded.
    """

    is_pk: Callable[[str], bool] = staticmethod(is_id)
    # Columns that our own links filter by, besides the columns of the list and of its filters.
    filtered_by_links: tuple[str, ...] = ()

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allows the primary key and columns that the list shows, filters by, or names in `filtered_by_links`.

        By other columns a user could guess hidden values letter by letter. Regular expressions are always refused: one
        may be invalid or slow.
        """
        if not {"regex", "iregex"}.isdisjoint(lookup.split(LOOKUP_SEP)):
            return False
        filters = (one[0] if isinstance(one, tuple) else one for one in self.list_filter)
        allowed = {self.date_hierarchy, *self.list_display, *self.filtered_by_links, *filters, self.opts.pk.name}
        return column_of(self.opts, lookup) in allowed

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        # The position is read before the rows, so that a change in between is marked too.
        live = {"live_since": log_position.position(), "live_read": timezone.now().isoformat()}
        return super().changelist_view(request, live | (extra_context or {}))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BaseChangeList

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if len(chosen) > MAX_AT_ONCE or not all(map(self.is_pk, chosen)):
            self.message_user(
                request, gettext("This selection is too large or cannot be read. Please select again."), messages.ERROR
            )
            return None
        return super().response_action(request, queryset)


class BaseAdmin(BaseListAdmin):
    form = BaseAdminForm
    list_per_page = 50
    # Counting the whole table is too expensive for the “n of m” of a filtered list.
    show_full_result_count = False
    change_form_template = "admin/base_change_form.html"
    object_history_template = "admin/base_history.html"
    # Additional pages: route -> suffix of the URL's name. The method `<suffix>_view` is the view.
    pages: Mapping[str, str] = {}

    def get_urls(self) -> list[URLPattern]:
        def page(route: str, suffix: str) -> URLPattern:
            view = self.admin_site.admin_view(getattr(self, f"{suffix}_view"))
            return path(route, view, name=f"{self.opts.app_label}_{self.opts.model_name}_{suffix}")  # type: ignore[no-any-return]

        return [*(page(route, suffix) for route, suffix in self.pages.items()), *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """False even for superusers: rows are cancelled or deactivated instead."""
        return False

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """For audited models, adds the values before and after each change."""
        is_audited = hasattr(self.model, "audit") and self.is_pk(object_id)
        entries = history_entries(self.model, object_id) if is_audited else None
        return super().history_view(request, object_id, {"entries": entries} | (extra_context or {}))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Locks the row for a POST, so that the form is applied to its current values."""
        found = super().get_object(request, object_id, from_field)
        if found is not None and request.method == "POST":
            found.refresh_from_db(from_queryset=self.model._default_manager.select_for_update(no_key=True))
        return found

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"refusal": getattr(request, "refusal", None)})

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """After a `Refusal`, which rolled the change back, shows the same form again with the error."""
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
        """Further actions on `obj`, shown to users who may change it."""
        return ()

    def chosen(self, request: HttpRequest, rows: QuerySet[Any]) -> list[int]:
        """The ids of an action's rows. For more than MAX_AT_ONCE rows, shows an error and returns an empty list."""
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[: MAX_AT_ONCE + 1])
        if len(ids) <= MAX_AT_ONCE:
            return ids
        text = gettext("Please select at most %d rows. Nothing was changed.") % MAX_AT_ONCE
        self.message_user(request, text, messages.ERROR)
        return []


class Deactivation(BaseAdmin):
    """Adds the action “Deactivate”, for models with a column `is_active`."""

    actions = ("deactivate",)

    @admin.action(description=_("Deactivate"), permissions=["change"])
    def deactivate(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Deactivates the active ones of the rows. Saves each, so that receivers of `post_save` run for it."""
        chosen = self.model._default_manager.filter(pk__in=self.chosen(request, rows), is_active=True)
        with database.long_work(lambda: list(chosen.order_by("pk").select_for_update(no_key=True))) as found:
            for row in found:
                row.is_active = False
                row.save(update_fields=["is_active"])
                self.log_change(request, row, [{"changed": {"fields": ["is_active"]}}])
                self.deactivated(request, row)

    def deactivated(self, request: HttpRequest, row: Any) -> None:
        """Called after a row was deactivated: shows a message. Subclasses add warnings."""
        self.message_user(request, gettext("%s is no longer active.") % row, messages.SUCCESS)


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}))


def confirmation_page(
    request: HttpRequest,
    model_admin: ModelAdmin,
    *,
    title: str,
    form: forms.Form,
    subjects: Sequence[object],
    back: str,
    hidden: Sequence[tuple[str, object]] = (),
) -> HttpResponse:
    """The confirmation page, which lists `subjects`: the rows that the action changes.

    `hidden` are further fields of its POST; `back` is the URL that the link “No, take me back” opens.
    """
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": title,
        "form": form,
        "media": model_admin.media + form.media,
        "subjects": subjects[:MAX_SHOWN],
        "more": max(0, len(subjects) - MAX_SHOWN),
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
    """One change of a row. `is_first` is true for the change that created the row."""

    at: datetime
    who: str
    source: str
    is_first: bool
    differences: list[Difference] = field(default_factory=list)


def history_entries(model: type[Model], pk: str) -> list[Entry]:
    """The latest MAX_CHANGES changes of one row, newest first.

    Needs one query, and one more for each foreign key that changed.
    """
    historic = model.audit.model  # type: ignore[attr-defined]  # of web.audit
    references = [column for column in historic.tracked_fields if isinstance(column, ForeignKey)]
    rows = historic.objects.filter(id=pk).select_related("history_user", *(column.name for column in references))
    newest = list(rows.order_by("-history_id")[:MAX_CHANGES])
    replaced = {column.attname: referenced_before(column, newest) for column in references}
    return [history_entry(row, replaced) for row in newest]


def referenced_before(column: Any, rows: list[Any]) -> dict[Any, Any]:
    """The objects that the foreign key pointed to before these changes, by their keys."""
    keys = {row.before.get(column.attname) for row in rows} - {None}
    found: dict[Any, Any] = column.related_model._base_manager.in_bulk(keys)
    return found


def history_entry(row: Any, replaced: dict[str, dict[Any, Any]]) -> Entry:
    user, source = row.history_user, row.history_change_reason
    who = (user.get_full_name() or user.get_username()) if user else EMPTY
    is_first, found = row.history_type == "+", list(differences(row, replaced))
    if not is_first and (now := getattr(row, "items", "")) and now != (before := row.before.get("items", "")):
        found.append(Difference(str(_("items")), before or EMPTY, now))
    return Entry(row.history_date, who, str(dict(Source.choices).get(source, source)), is_first, found)


def differences(row: Any, replaced: dict[str, dict[Any, Any]]) -> Iterator[Difference]:
    """Yields the columns whose value differs from the old one, which the save itself recorded in `before`.

    The previous history row is not used. It may be missing, or outdated after a change by SQL or by another release.
    """
    for column in row.tracked_fields:
        if (name := column.attname) not in row.before:
            continue
        before = row.before[name]
        if isinstance(column, DateField):  # JSON stores dates as text; DateTimeField is a subclass
            before = column.to_python(before)
        if before == getattr(row, name):
            continue
        if name in replaced:
            before = replaced[name].get(before)
        after = display(getattr(row, column.name), column)
        yield Difference(str(column.verbose_name), display(before, column), after)


def display(value: Any, column: Any) -> Any:
    return str(value) if isinstance(column, ForeignKey) and value else display_for_field(value, column, EMPTY)


@admin.register(Switch)
class SwitchAdmin(BaseAdmin):
    list_display = ("name", "active", "meaning", "modified")
    fields = ("name", "meaning", "active", "note")
    readonly_fields = ("name", "meaning")
    ordering = ("id",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """False: only names that the code reads have an effect, and a migration creates a row for each."""
        return False

    @admin.display(description=_("meaning"))
    def meaning(self, switch: Switch) -> str | Promise:
        return flags.MEANINGS.get(switch.name, "–")
