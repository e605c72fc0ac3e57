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


def story(row: NotificationHistory) -> SafeString:
    """Renders the cause, each step with its time, and what staff can do next."""
    lines = [(moment(at), said) for at, said in (*beginning(row), *steps(row), (None, next_step(row).words))]
    return format_html(
        '<ul class="plain-list trail">{}</ul>', format_html_join("", "<li><time>{}</time> {}</li>", lines)
    )


def moment(at: datetime | None) -> str:
    return date_format(timezone.localtime(at), "n/j H:i:s") if at else ""


def beginning(row: NotificationHistory) -> Iterator[Line]:
    if row.order and (change := row.order.history.filter(at=row.happened_at).select_related("by").last()):
        yield row.happened_at, caused(change)
    elif row.kind == MessageKind.ORDER_RESCHEDULED:
        yield row.happened_at, _("Day or time of the order changed by %s.") % name(row.caused_by)
    if row.resend_of_id and row.requested_by:
        said = _("Sent again by %s, overriding the rules") if row.overruled else _("Sent again by %s")
        yield row.created_at, said % name(row.requested_by)
    else:
        yield row.created_at, _("Sent again") if row.resend_of_id else _("Message created.")


def caused(change: OrderStatusChange) -> str:
    said = {
        "before": change.get_from_status_display() or "–",
        "after": change.get_to_status_display(),
        "who": name(change.by),
        "source": change.get_source_display(),
    }
    return _("Order: %(before)s → %(after)s, by %(who)s (%(source)s)") % said


def name(user: User | None) -> str:
    return (user.get_full_name() or user.get_username()) if user else _("the system")


def steps(row: NotificationHistory) -> Iterator[Line]:
    before = ""
    for note in row.trail.select_related("by"):
        if note.by:
            nevertheless = before == MessageStatus.SUPPRESSED
            said = _("%s chose to send the message anyway") if nevertheless else _("Sent again by %s")
            yield note.at, said % name(note.by)
        else:
            yield note.at, said_of(note)
        before = note.status


def said_of(note: StatusNote) -> str:
    """Returns such as `Sent (mitake)` or `Failed (mitake): refused by the provider [t]`."""
    if note.reply:
        return _("Customer replied: “%s”") % note.reply
    said = note.get_status_display()
    if note.gateway:
        said = _("%(status)s (%(gateway)s)") % {"status": said, "gateway": note.gateway}
    if note.reason:
        said = _("%(text)s: %(reason)s") % {"text": said, "reason": note.get_reason_display()}
    return f"{said} [{note.raw_status}]" if note.raw_status else said


class Next(NamedTuple):
    """What staff can do: a sentence, whether there is a button, and whether it overrules our own rules."""

    words: str
    button: bool = False
    overrule: bool = False


def next_step(row: NotificationHistory) -> Next:
    if newer := NotificationHistory.objects.filter(resend_of=row).first():
        page = reverse("admin:notifications_notificationhistory_change", args=[newer.pk])
        return Next(format_html('<a href="{}">{}</a>', page, _("Already sent again. See the newer message.")))
    is_alive = (
        row.status == MessageStatus.SENDING and not NotificationHistory.objects.interrupted().filter(pk=row.pk).exists()
    )
    if row.status == MessageStatus.CANCELLED or is_alive:
        return Next(words(row))
    if reason := obstacle(row):
        return Next(_("This message cannot be sent: %s.") % reason.label)
    if row.status == MessageStatus.PENDING and (why := why_it_waits(row)):
        return Next(why)
    suppressed = row.status == MessageStatus.SUPPRESSED
    return Next(words(row), True, suppressed or (not row.overruled and sending_rules.unwanted(row) is not None))


def words(row: NotificationHistory) -> str:
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
        MessageStatus.SUPPRESSED: _("Not sent. You can send this message anyway."),
        MessageStatus.CANCELLED: _("The content is no longer true, so this message will not be sent."),
    }[MessageStatus(row.status)]


def obstacle(row: NotificationHistory) -> Reason | None:
    """Returns why the message cannot be sent even by a person, or None."""
    if row.status == MessageStatus.SUPPRESSED and row.status_reason not in OVERRULABLE:
        return Reason(row.status_reason)
    asked = copy(row)
    # Nobody overruled the rules for a message that only waits.
    asked.overruled = row.overruled or row.status != MessageStatus.PENDING
    verdict = sending_rules.blocked_by(asked)
    return verdict.reason if verdict else None


def why_it_waits(row: NotificationHistory) -> str:
    if not flags.on(flags.SMS):
        return _("Waiting until messages are turned on again.")
    asked = copy(row)
    if not row.attempts:
        asked.type, asked.recipient = sending_rules.way_to(row.customer)
    if not gateways.gateways_for(asked):
        return _("Waiting until the gateway is started again.")
    if until := max(filter(None, [row.send_after, sending_rules.not_before(asked)]), default=None):
        return _("Will be sent at %s.") % moment(until) if until > timezone.now() else ""
    return ""
