"""The truth about one message: what may be known of it, and which knowledge may follow which."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Type(TextChoices):
    SMS = "sms", _("SMS")
    EMAIL = "email", _("e-mail")


class Status(TextChoices):
    PENDING = "pending", _("Waiting")
    SENDING = "sending", _("Being sent")
    SENT = "sent", _("Sent")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")
    EXPIRED = "expired", _("Expired")
    UNKNOWN = "unknown", _("Unknown")  # the request went out and no answer came back
    SUPPRESSED = "suppressed", _("Not sent")  # by our own rules, with the reason
    CANCELLED = "cancelled", _("Withdrawn")


class Kind(TextChoices):
    ORDER_CONFIRMED = "order_confirmed", _("order confirmed")
    DRIVER_ARRIVING = "driver_arriving", _("driver arriving")
    ORDER_DELIVERED = "order_delivered", _("order delivered")


class Reason(TextChoices):
    """Why a message was suppressed or cancelled, or how it failed."""

    NO_MOBILE = "no_mobile", _("no mobile number")
    OPT_OUT = "opt_out", _("the customer wants no such SMS")
    OVERTAKEN = "overtaken", _("no longer true when its turn came")
    REFUSED = "refused", _("refused by the provider")
    UNREACHABLE = "unreachable", _("the provider could not be reached")
    NO_ANSWER = "no_answer", _("the provider did not answer")
    INTERRUPTED = "interrupted", _("the sending process died")
