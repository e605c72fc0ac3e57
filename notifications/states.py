"""The statuses, kinds and reasons of messages, and which status may follow which."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class MessageType(TextChoices):
    SMS = "sms", _("SMS")
    EMAIL = "email", _("e-mail")


class MessageStatus(TextChoices):
    PENDING = "pending", _("Waiting")
    SENDING = "sending", _("Being sent")
    SENT = "sent", _("Sent")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")
    EXPIRED = "expired", _("Expired")
    UNKNOWN = "unknown", _("Unknown")  # perhaps sent: no clear answer came back
    SUPPRESSED = "suppressed", _("Not sent")  # our own rules forbid it; `status_reason` names the rule
    CANCELLED = "cancelled", _("Withdrawn")  # no longer true at the time to send


# The provider accepted the message and reported no failure.
GOOD_NEWS = frozenset({MessageStatus.SENT, MessageStatus.DELIVERED})
# Reported as failures: the message was not delivered, or may not have been sent.
BAD_NEWS = frozenset({MessageStatus.FAILED, MessageStatus.UNKNOWN, MessageStatus.EXPIRED, MessageStatus.SUPPRESSED})
NEVER_REACHED_ANYBODY = frozenset({MessageStatus.SUPPRESSED, MessageStatus.CANCELLED, MessageStatus.FAILED})
# Each status with those that may follow it. `delivered`, `failed` and `cancelled` are final. A late receipt may still
# make an expired message delivered.
MOVES: dict[str, frozenset[MessageStatus]] = {
    # A receipt can change a pending message only while it waits for a retry.
    MessageStatus.PENDING: frozenset(
        {
            MessageStatus.SENDING,
            MessageStatus.SUPPRESSED,
            MessageStatus.CANCELLED,
            MessageStatus.UNKNOWN,
            MessageStatus.SENT,
            MessageStatus.DELIVERED,
            MessageStatus.FAILED,
            MessageStatus.EXPIRED,
        }
    ),
    # `pending` again if the message was certainly not sent and may be sent later or by another gateway.
    MessageStatus.SENDING: frozenset(
        {MessageStatus.SENT, MessageStatus.FAILED, MessageStatus.UNKNOWN, MessageStatus.PENDING}
    ),
    MessageStatus.SENT: frozenset({MessageStatus.DELIVERED, MessageStatus.FAILED, MessageStatus.EXPIRED}),
    # `pending` again only if the provider is idempotent.
    MessageStatus.UNKNOWN: frozenset(
        {
            MessageStatus.PENDING,
            MessageStatus.SENT,
            MessageStatus.DELIVERED,
            MessageStatus.FAILED,
            MessageStatus.EXPIRED,
        }
    ),
    MessageStatus.EXPIRED: frozenset({MessageStatus.DELIVERED}),
    MessageStatus.DELIVERED: frozenset(),
    MessageStatus.FAILED: frozenset(),
    # The office may overrule some of our own rules.
    MessageStatus.SUPPRESSED: frozenset({MessageStatus.PENDING}),
    MessageStatus.CANCELLED: frozenset(),
}


class MessageKind(TextChoices):
    ORDER_CONFIRMED = "order_confirmed", _("order confirmed")
    DRIVER_ON_THE_WAY = "driver_on_the_way", _("driver on the way")
    DRIVER_ARRIVING = "driver_arriving", _("driver arriving")
    DRIVER_TURNED_AWAY = "driver_turned_away", _("driver left without delivering")
    ORDER_DELIVERED = "order_delivered", _("order delivered")
    DELIVERY_FAILED = "delivery_failed", _("delivery failed")
    ORDER_CANCELLED = "order_cancelled", _("order cancelled")
    ORDER_RESCHEDULED = "order_rescheduled", _("order rescheduled")


# Messages that announce the driver.
COMING = frozenset({MessageKind.DRIVER_ON_THE_WAY, MessageKind.DRIVER_ARRIVING})
# Turned off until the office turns them on. `sending_rules.takes_back_a_promise` makes an exception.
OFF_BY_DEFAULT = frozenset({MessageKind.DELIVERY_FAILED, MessageKind.ORDER_CANCELLED, MessageKind.ORDER_RESCHEDULED})


class Reason(TextChoices):
    """Why a message was not sent, is waiting, has failed, or may have been sent."""

    NO_MOBILE = "no_mobile", _("no mobile number and no e-mail")
    OPT_OUT = "opt_out", _("the customer opted out of this message")
    SWITCHED_OFF = "switched_off", _("this kind is turned off")
    NOT_REGISTERED = "not_registered", _("the text contains an unregistered link or telephone number")
    TOO_LONG = "too_long", _("longer than three segments")
    OVERTAKEN = "overtaken", _("the content is no longer true")
    REFUSED = "refused", _("refused by the provider")
    NO_CREDIT = "no_credit", _("the account has no points left")
    CHANNEL_STOPPED = "channel_stopped", _("the gateway is stopped")
    BUSY = "busy", _("the provider accepts no messages at the moment")
    UNREACHABLE = "unreachable", _("the provider could not be reached")
    NO_ANSWER = "no_answer", _("the provider did not respond")
    INTERRUPTED = "interrupted", _("the sending process stopped")
    UNKNOWN_CODE = "unknown_code", _("the provider responded with an unknown code")
    NO_SUCH_NUMBER = "no_such_number", _("this number does not exist")
    NOT_REACHED = "not_reached", _("the telephone was off or out of reach")


# Maximum characters that are stored of an error, of a provider's code or id, of the reason why a gateway is stopped,
# and of a customer's reply.
LONGEST_ERROR, LONGEST_CODE, LONGEST_CAUSE, LONGEST_REPLY = 500, 80, 200, 500
# A person may send messages that were suppressed for these reasons.
OVERRULABLE = frozenset({Reason.OPT_OUT, Reason.SWITCHED_OFF})
