"""Admin pages: messages (read, export, send again), their texts, and the gateways."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain, groupby, islice
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field
from django.contrib.admin.views.main import PAGE_VAR
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.forms import ModelForm, Script
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.roles import check_page
from customers import phones
from customers.admin import CustomerAdmin
from customers.models import phone_matches
from notifications import queue, statistics
from notifications.models import GatewayState, MessageTemplate, NotificationHistory, NotificationQuerySet
from notifications.states import MessageKind, MessageStatus, MessageType, Reason
from notifications.statistics import GOAL, OUTCOMES, Row, midnight, outcomes, total
from notifications.texts import LONGEST_BODY, TEXTS, Preview, allowed_placeholders
from notifications.timeline import next_step, render_timeline
from orders import numbers
from orders.admin.order import OrderAdmin
from web import charts, csv_export, flags
from web.admin import BaseAdmin, BaseListAdmin, Button, Inline, ReadOnly, user_of
from web.limits import is_id
from web.refusals import Refusal
from web.text import remove_invisible

# CSS classes of `web/static/web/admin.css`.
COLOUR = {
    MessageStatus.PENDING: "waiting", MessageStatus.SENDING: "moving", MessageStatus.SENT: "good",
    MessageStatus.DELIVERED: "good",
    MessageStatus.FAILED: "bad", MessageStatus.EXPIRED: "bad", MessageStatus.UNKNOWN: "warn",
    MessageStatus.SUPPRESSED: "plain",
    MessageStatus.CANCELLED: "over",
}  # fmt: skip
# Maximum messages on a customer's page.
NEWEST = 50
# Maximum messages that the action sends again at once, because an SMS costs money. `resend_sms` sends more.
MAX_AT_ONCE = 100
# Maximum rows of an export.
MAX_ROWS = 100_000
# Days in the chart above the list.
DAYS = 14
EXPORT = "notifications.export_notificationhistory"
# Fields at the top of a message's page, fields under “Details”, and columns of the export.
MAIN_FIELDS = ("badge", "why", "kind", "order_link", "customer_link", "content", "trail", "cost")
DETAIL_FIELDS = (
    "type", "gateway", "provider_message_id", "raw_status", "attempts", "delivery_attempt", "happened_at",
    "send_after", "overruled", "caused_by", "requested_by", "resend_of", "created_at", "claimed_at", "sent_at",
    "delivered_at", "request_id",
)  # fmt: skip
CSV_COLUMNS = (
    "created_at", "type", "kind", "order", "customer", "recipient", "status", "status_reason", "error_message",
    "gateway", "provider_message_id", "raw_status", "segments", "points", "sent_at", "delivered_at", "content",
)  # fmt: skip


@admin.register(GatewayState)
class GatewayStateAdmin(BaseAdmin):
    list_display = ("gateway", "badge", "stopped_because", "stopped_at", "balance", "balance_at", "last_receipt_at")
    fields = readonly_fields = (*list_display, "doubted_because", "doubted_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Always False: the system creates the rows."""
        return False

    def buttons(self, request: HttpRequest, obj: GatewayState) -> Sequence[Button]:
        url = reverse("admin:notifications_gateway_start", args=[obj.pk])
        return [Button(_("Start again"), url)] if obj.stopped_at else []

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        context |= {"show_save": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        start = self.admin_site.admin_view(self.start)
        return [path("<slug:pk>/start/", start, name="notifications_gateway_start"), *super().get_urls()]

    @method_decorator(require_POST)
    def start(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Starts a stopped gateway, so waiting messages are sent. Redirects to the gateway's page with a notice."""
        state = get_object_or_404(GatewayState, pk=pk)
        check_page(request.user, "notifications.change_gatewaystate")
        if state.start():
            text = gettext("%s was started again. Waiting messages are being sent.") % state
            self.log_change(request, state, text)
            self.message_user(request, text, messages.SUCCESS)
        else:
            self.message_user(request, gettext("%s is not stopped.") % state, messages.WARNING)
        return redirect("admin:notifications_gatewaystate_change", pk)

    @admin.display(description=_("state"), ordering="stopped_at")
    def badge(self, state: GatewayState) -> str:
        colour, label = "good", _("In order")
        if state.stopped_at:
            colour, label = "bad", _("Stopped")
        elif state.is_doubtful:
            colour, label = "warn", _("Unknown code")
        return format_html('<span class="badge {}">{}</span>', colour, label)


@admin.register(MessageTemplate)
class MessageTemplateAdmin(BaseAdmin):
    list_display = ("__str__", "is_on", "chinese", "english")
    list_display_links = ("__str__",)
    fields = ("is_on", "placeholders", "body_zh", "body_en")
    readonly_fields = ("placeholders",)

    class Media:
        js = (Script("notifications/preview.js", type="module"),)
        css = {"all": ("notifications/preview.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Always False: every kind already has a row."""
        return False

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        MessageTemplate.make_missing()
        return super().changelist_view(request, *args, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if obj is not None:
            self.prepare(form, MessageKind(obj.kind))
        return form

    def prepare(self, form: type[ModelForm[MessageTemplate]], kind: MessageKind) -> None:
        """Shows the default text in an empty field, and passes parameters to the preview script."""
        for language, name in MessageTemplate.BODIES.items():
            if field := form.base_fields.get(name):
                field.widget.attrs |= {
                    "rows": 4, "placeholder": TEXTS[language][kind], "data-language": language, "data-kind": kind.value,
                    "data-preview": reverse("admin:notifications_text_preview"),
                }  # fmt: skip

    @admin.display(description=_("Chinese text"))
    def chinese(self, row: MessageTemplate) -> str:
        return row.body("zh-hant")

    @admin.display(description=_("English text"))
    def english(self, row: MessageTemplate) -> str:
        return row.body("en")

    @admin.display(description=_("placeholders"))
    def placeholders(self, row: MessageTemplate) -> str:
        return " ".join(f"{{{name}}}" for name in allowed_placeholders(row.kind))

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("preview/", wrap(self.preview), name="notifications_text_preview"),
            path("<int:pk>/default/", wrap(self.restore), name="notifications_text_default"),
            *super().get_urls(),
        ]

    def buttons(self, request: HttpRequest, obj: MessageTemplate) -> Sequence[Button]:
        return [Button(_("Restore the default"), reverse("admin:notifications_text_default", args=[obj.pk]))]

    @method_decorator(require_POST)
    def preview(self, request: HttpRequest) -> HttpResponse:
        """Returns the longest form of a text, its cost and its errors as JSON. Changes nothing."""
        check_page(request.user, "notifications.view_messagetemplate")
        kind, language, body = (request.POST.get(name, "") for name in ("kind", "language", "body"))
        if kind not in MessageKind or language not in TEXTS or len(body) > 2 * LONGEST_BODY:
            detail = gettext("Please give a kind, a language and a text of at most %d characters.") % (2 * LONGEST_BODY)
            return JsonResponse({"detail": detail}, status=400)
        found = Preview(kind, language, body if body.strip() else TEXTS[language][MessageKind(kind)])
        return JsonResponse(
            {
                "text": found.text, "segments": found.segments, "points": found.segments, "cost": found.cost,
                "problems": found.problems,
            }
        )  # fmt: skip

    @method_decorator(require_POST)
    @method_decorator(transaction.atomic)
    def restore(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = get_object_or_404(MessageTemplate.objects.select_for_update(no_key=True), pk=pk)
        check_page(request.user, "notifications.change_messagetemplate")
        row.body_zh = row.body_en = ""
        row.save()
        text = gettext("The default texts are used again.")
        self.log_change(request, row, text)
        self.message_user(request, text, messages.SUCCESS)
        return redirect("admin:notifications_messagetemplate_change", pk)


def is_uuid(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) is not None


class MessageColumns:
    """Columns that several lists of messages share."""

    @admin.display(description=_("status"), ordering="status")
    def badge(self, row: NotificationHistory) -> str:
        status = MessageStatus(row.status)
        return format_html('<span class="badge {}">{}</span>', COLOUR[status], status.label)

    @admin.display(description=_("recipient"))
    def masked(self, row: NotificationHistory) -> str:
        return row.masked_recipient

    @admin.display(description=_("cost"))
    def cost(self, row: NotificationHistory) -> str:
        """The points that the provider charged; if unknown, the segments; `–` if there are none."""
        if row.points is not None:
            return gettext("%s points") % f"{row.points.normalize():f}"
        return ngettext("%d segment", "%d segments", row.segments) % row.segments if row.segments else "–"


@admin.register(NotificationHistory)
class NotificationAdmin(ReadOnly, MessageColumns, BaseListAdmin):
    is_pk = staticmethod(is_uuid)
    list_display = (
        "created_at", "kind", "order_link", "customer", "masked", "badge", "status_reason", "gateway", "cost",
    )  # fmt: skip
    filtered_by_links = ("order",)
    date_hierarchy = "created_at"
    list_select_related = ("order", "customer")
    list_filter = ("kind", "status", "status_reason", "gateway", "created_at")
    list_per_page = MAX_AT_ONCE
    search_fields = ("recipient",)  # shows the search field; `get_search_results` does the search
    search_help_text = _("Order number, customer, or last digits of the telephone")
    show_full_result_count = False
    actions = ("send_again",)
    change_form_template = "admin/base_change_form.html"

    class Media:
        css = {"all": ("notifications/history.css",)}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        response = super().changelist_view(request, extra_context)
        if changes := getattr(response, "context_data", {}).get("cl"):
            response.context_data |= {
                "totals": totals(changes.queryset),
                "switched_off": not flags.is_on(flags.SMS),
                "stopped": GatewayState.objects.filter(stopped_at__isnull=False),
            }
            if request.user.has_perm(EXPORT):
                query = changes.get_query_string(remove=[PAGE_VAR])
                response.context_data["export"] = reverse("admin:notifications_export") + query
        return response

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Streams the filtered list with all its pages as CSV."""
        check_page(request.user, EXPORT)
        try:
            changes = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return redirect("admin:notifications_notificationhistory_changelist")
        return csv_export.stream(request, csv_lines(changes.queryset), f"messages-{timezone.localdate()}.csv")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[NotificationHistory], search_term: str
    ) -> tuple[QuerySet[NotificationHistory], bool]:
        text = remove_invisible(search_term).strip()[:100]
        found = Q(order__order_number__contains=numbers.normalise_order_number(text)) | Q(
            customer__name__icontains=text
        )
        if request.user.has_perm("notifications.view_full_number"):
            found |= phone_matches(text, "contains", "recipient")
        else:  # search only the visible digits: a full search would reveal the masked ones digit by digit
            for part in phones.search_digits(text):
                found |= Q(recipient__endswith=part[-phones.DIGITS_SHOWN :])
        return queryset.filter(found) if text else queryset, False

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        row = context["original"]
        _sentence, has_button, overrule = next_step(row)
        has_button &= self.has_resend_permission(request, overrule=overrule)
        label = _("Send anyway") if overrule else _("Send again")
        url = reverse("admin:notifications_resend", args=[row.pk])
        context["buttons"] = [Button(label, url, hidden={"overrule": "yes"} if overrule else {})] * has_button
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=_("order"), ordering="order")
    def order_link(self, row: NotificationHistory) -> str:
        if row.order is None:
            return "–"
        return format_html('<a href="{}">{}</a>', reverse("admin:orders_order_change", args=[row.order_id]), row.order)

    @admin.display(description=_("customer"))
    def customer_link(self, row: NotificationHistory) -> str:
        page = reverse("admin:customers_customer_change", args=[row.customer_id])
        return format_html('<a href="{}">{}</a>', page, row.customer)

    @admin.display(description=_("what happened"))
    def trail(self, row: NotificationHistory) -> str:
        return render_timeline(row)

    @admin.display(description=_("reason"))
    def why(self, row: NotificationHistory) -> str:
        """The reason and the provider's error."""
        reason = row.get_status_reason_display() if row.status_reason else ""
        return ": ".join(filter(None, [reason, row.error_message])) or "–"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        whole = request.user.has_perm("notifications.view_full_number")
        first = ("recipient" if whole else "masked", *MAIN_FIELDS)
        return [(None, {"fields": first}), (_("Details"), {"fields": DETAIL_FIELDS, "classes": ["collapse"]})]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:pk>/resend/", wrap(self.send_one_again), name="notifications_resend"),
            path("export/", wrap(self.export), name="notifications_export"),
            *super().get_urls(),
        ]

    def has_resend_permission(self, request: HttpRequest, *, overrule: bool = False) -> bool:
        return self.has_view_permission(request) and request.user.has_perms(queue.needed_permissions(overrule=overrule))

    @admin.action(description=_("Send again"), permissions=["resend"])
    def send_again(self, request: HttpRequest, rows: NotificationQuerySet) -> None:
        chosen = list(rows.select_related("order", "customer")[: MAX_AT_ONCE + 1])
        if len(chosen) > MAX_AT_ONCE:
            text = gettext("Please select at most %d messages. Nothing was sent.") % MAX_AT_ONCE
            self.message_user(request, text, messages.ERROR)
            return
        # One transaction, so that the request waits for the senders only once.
        with transaction.atomic():
            for row in chosen:
                self.resend(request, row)

    @method_decorator(require_POST)
    def send_one_again(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        row = get_object_or_404(NotificationHistory.objects.select_related("order", "customer"), pk=pk)
        overrule = request.POST.get("overrule") == "yes"
        for right in queue.needed_permissions(overrule=overrule):
            check_page(request.user, right)
        row = self.resend(request, row, overrule=overrule)
        return redirect("admin:notifications_notificationhistory_change", row.pk)

    def resend(self, request: HttpRequest, row: NotificationHistory, *, overrule: bool = False) -> NotificationHistory:
        """Sends a message again, or shows why not. The middleware shows the outcome."""
        try:
            return queue.resend(row, by=user_of(request), overrule=overrule)
        except Refusal as refusal:
            self.message_user(request, f"{row.order or ''} {row}: {refusal}", messages.WARNING)
            return row


def csv_lines(rows: QuerySet[NotificationHistory]) -> Iterator[list[Any]]:
    """Returns the lines of the CSV with masked numbers. After MAX_ROWS rows, a last line says that more exist."""
    head = [str(label_for_field(name, NotificationHistory)) for name in CSV_COLUMNS]
    labels = {
        str(value): str(label)
        for values in (MessageType, MessageKind, MessageStatus, Reason)
        for value, label in values.choices
    }
    notice = gettext("Only the first %d messages are exported. Please choose fewer days.") % MAX_ROWS
    # One row more than MAX_ROWS shows whether rows are missing.
    found = rows[: MAX_ROWS + 1].iterator(chunk_size=csv_export.LINES_PER_PIECE)
    shown = (cells(row, labels) for row in islice(found, MAX_ROWS))
    return chain([head], shown, ([notice] for left in found))


def cells(row: NotificationHistory, labels: dict[str, Any]) -> list[Any]:
    values = {name: getattr(row, name) for name in CSV_COLUMNS if name != "recipient"} | {
        "recipient": row.masked_recipient
    }
    for name in ("type", "kind", "status", "status_reason"):
        values[name] = labels.get(values[name], values[name])
    for name in ("created_at", "sent_at", "delivered_at"):
        values[name] = values[name] and f"{timezone.localtime(values[name]):%Y-%m-%d %H:%M:%S}"
    return list(map(values.get, CSV_COLUMNS))


# --- outcomes above the list ---


def totals(messages: QuerySet[NotificationHistory]) -> dict[str, Any] | None:
    """Returns the outcomes of the DAYS days up to the newest message; None without messages. Takes two queries."""
    messages = messages.order_by()
    newest = messages.aggregate(at=Max("created_at"))["at"]
    if newest is None:
        return None
    first = timezone.localtime(newest).date() - timedelta(days=DAYS - 1)
    rows = list(statistics.by_day(messages.filter(created_at__gte=midnight(first))))
    days = [{"day": day} | sum_outcomes(list(group)) for day, group in groupby(rows, lambda row: row["day"])]
    result = {
        "days": days, "sum": sum_outcomes(rows), "first": first, "last": days[-1]["day"],
        "image": draw_chart(days, first), "goal": percent(GOAL),
    }  # fmt: skip
    figures = statistics.figures(rows)
    for name in ("taken", "delivered"):
        share = figures[f"{name}_share"]
        result |= {name: percent(share), f"{name}_low": share is not None and share < GOAL}
    return result


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.4g} %"


def sum_outcomes(rows: list[Row]) -> dict[str, Any]:
    counts = {name.value: total(rows, "messages", statuses) for name, statuses in OUTCOMES.items()}
    return {"counts": counts, "points": sum((row["points"] for row in rows), Decimal())}


def draw_chart(days: list[dict[str, Any]], first: date) -> str:
    """Returns the chart as a data URL. It includes the days without messages."""
    known = {day["day"]: day["counts"] for day in days}
    dates = [first + timedelta(days=number) for number in range(DAYS)]
    names = [date_format(day, "n/j") for day in dates]
    return charts.data_url(charts.bars(names, outcomes(known.get(day, {}) for day in dates)))


# --- messages on the pages of orders and customers ---


class BaseMessageInline(ReadOnly, MessageColumns, Inline):
    model = NotificationHistory
    show_change_link = True
    extra = 0
    verbose_name_plural = _("messages to the customer")


class OrderMessageInline(BaseMessageInline):
    """The messages about an order, for the order's page."""

    fields = readonly_fields = ("created_at", "kind", "masked", "badge", "status_reason", "cost")


class CustomerMessageInline(BaseMessageInline):
    """A customer's newest messages with a link to all, for the customer's page."""

    fields = readonly_fields = ("created_at", "kind", "order", "masked", "badge", "status_reason", "cost")
    template = "admin/notifications/customer_messages.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[NotificationHistory]:
        rows = super().get_queryset(request).select_related("order")
        customer = (request.resolver_match.kwargs if request.resolver_match else {}).get("object_id", "")
        if not is_id(customer):
            return rows.none()
        return rows.filter(pk__in=rows.filter(customer=customer).order_by("-created_at", "-id").values("pk")[:NEWEST])


# `orders` and `customers` must not import this app, so it adds its inlines to their pages here.
OrderAdmin.inlines = [*OrderAdmin.inlines, OrderMessageInline]
CustomerAdmin.inlines = [*CustomerAdmin.inlines, CustomerMessageInline]
