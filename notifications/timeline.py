"""The history of one message in sentences, for staff on the telephone with its customer."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from datetime import datetime
from typing import NamedTuple

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from notifications import gateways, sending_rules
from notifications.models import NotificationHistory, StatusNote
from notifications.states import OVERRULABLE, MessageKind, MessageStatus, Reason
from orders.models import OrderStatusChange
from web import flags

Line = tuple[datetime | None, str]


def render_timeline(row: NotificationHistory) -> SafeString:
    """Renders an HTML list: the cause, each step with its time, and what staff can do next."""
    lines = (*first_lines(row), *step_lines(row), (None, next_step(row).sentence))
    items = [(format_time(at), text) for at, text in lines]
    return format_html(
        '<ul class="plain-list trail">{}</ul>', format_html_join("", "<li><time>{}</time> {}</li>", items)
    )


def format_time(at: datetime | None) -> str:
    return date_format(timezone.localtime(at), "n/j H:i:s") if at else ""


def first_lines(row: NotificationHistory) -> Iterator[Line]:
    if row.order and (change := row.order.history.filter(at=row.happened_at).select_related("by").last()):
        yield row.happened_at, describe_cause(change)
    elif row.kind == MessageKind.ORDER_RESCHEDULED:
        yield row.happened_at, _("Day or time of the order changed by %s.") % display_name(row.caused_by)
    if row.resend_of_id and row.requested_by:
        text = _("Sent again by %s, overriding the rules") if row.overruled else _("Sent again by %s")
        yield row.created_at, text % display_name(row.requested_by)
    else:
        yield row.created_at, _("Sent again") if row.resend_of_id else _("Message created.")


def describe_cause(change: OrderStatusChange) -> str:
    values = {
        "before": change.get_from_status_display() or "–",
        "after": change.get_to_status_display(),
        "who": display_name(change.by),
        "source": change.get_source_display(),
    }
    return _("Order: %(before)s → %(after)s, by %(who)s (%(source)s)") % values


def display_name(user: User | None) -> str:
    return (user.get_full_name() or user.get_username()) if user else _("the system")


def step_lines(row: NotificationHistory) -> Iterator[Line]:
    before = ""
    for note in row.trail.select_related("by"):
        if note.by:
            is_overruled = before == MessageStatus.SUPPRESSED
            text = _("%s chose to send the message anyway") if is_overruled else _("Sent again by %s")
            yield note.at, text % display_name(note.by)
        else:
            yield note.at, describe_step(note)
        before = note.status


def describe_step(note: StatusNote) -> str:
    """Returns a text such as `Sent (mitake)` or `Failed (mitake): refused by the provider [t]`."""
    if note.reply:
        return _("Customer replied: “%s”") % note.reply
    text = note.get_status_display()
    if note.gateway:
        text = _("%(status)s (%(gateway)s)") % {"status": text, "gateway": note.gateway}
    if note.reason:
        text = _("%(text)s: %(reason)s") % {"text": text, "reason": note.get_reason_display()}
    return f"{text} [{note.raw_status}]" if note.raw_status else text


class NextStep(NamedTuple):
    """What staff can do: a sentence, whether there is a button, and whether the button overrules our own rules."""

    sentence: str
    has_button: bool = False
    overrule: bool = False


def next_step(row: NotificationHistory) -> NextStep:
    if newer := NotificationHistory.objects.filter(resend_of=row).first():
        page = reverse("admin:notifications_notificationhistory_change", args=[newer.pk])
        return NextStep(format_html('<a href="{}">{}</a>', page, _("Already sent again. See the newer message.")))
    is_alive = (
        row.status == MessageStatus.SENDING and not NotificationHistory.objects.interrupted().filter(pk=row.pk).exists()
    )
    if row.status == MessageStatus.CANCELLED or is_alive:
        return NextStep(status_sentence(row))
    if reason := obstacle(row):
        return NextStep(_("This message cannot be sent: %s.") % reason.label)
    if row.status == MessageStatus.PENDING and (why := why_it_waits(row)):
        return NextStep(why)
    is_unwanted = not row.overruled and sending_rules.overrulable_reason(row) is not None
    return NextStep(status_sentence(row), True, row.status == MessageStatus.SUPPRESSED or is_unwanted)


def status_sentence(row: NotificationHistory) -> str:
    return {
        MessageStatus.PENDING: _("Waiting to be sent. “Send again” sends this message now, not a second one."),
        MessageStatus.SENDING: _("Being sent. Reload the page to see the outcome."),
        MessageStatus.SENT: _(
            "The provider accepted this message but has not confirmed delivery. Sending it again costs a second SMS."
        ),
        MessageStatus.DELIVERED: _("Delivered. Sending this message again costs a second SMS."),
        MessageStatus.FAILED: _("Not delivered. You can send this message again."),
        MessageStatus.EXPIRED: _("Not delivered in time. You can send this message again."),
        MessageStatus.UNKNOWN: _("This message may have been sent. Please ask the customer before you send it again."),
        MessageStatus.SUPPRESSED: _("Not sent. A manager or the owner can send this message anyway."),
        MessageStatus.CANCELLED: _("The content is no longer true, so this message will not be sent."),
    }[MessageStatus(row.status)]


def obstacle(row: NotificationHistory) -> Reason | None:
    """Returns why the button on the message's page could not send it, or None."""
    if row.status == MessageStatus.SUPPRESSED and row.status_reason not in OVERRULABLE:
        return Reason(row.status_reason)
    trial = copy(row)
    # The button of a pending message does not overrule the rules; that of any other message may.
    trial.overruled = row.overruled or row.status != MessageStatus.PENDING
    verdict = sending_rules.blocking_verdict(trial)
    return verdict.reason if verdict else None


def why_it_waits(row: NotificationHistory) -> str:
    if not flags.is_on(flags.SMS):
        return _("Waiting until messages are turned on again.")
    trial = copy(row)
    if not row.attempts:
        trial.type, trial.recipient = sending_rules.choose_recipient(row.customer)
    if not gateways.gateways_for(trial):
        return _("Waiting until the gateway is started again.")
    if until := max(filter(None, [row.send_after, sending_rules.earliest_time(trial)]), default=None):
        return _("Will be sent at %s.") % format_time(until) if until > timezone.now() else ""
    return ""
