"""Messages to customers with their trail, their texts, and the state of the gateways."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.dispatch import Signal
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from notifications import texts
from notifications.masking import mask
from notifications.states import (
    LONGEST_CAUSE,
    LONGEST_CODE,
    LONGEST_ERROR,
    LONGEST_REPLY,
    MOVES,
    NEVER_REACHED_ANYBODY,
    OFF_BY_DEFAULT,
    MessageKind,
    MessageStatus,
    MessageType,
    Reason,
)
from orders.models import Order
from web import request_id
from web.tracked import AnnouncedQuerySet

# Sent by `NotificationHistory` when a status changes. `message`: the message in its new status.
message_moved = Signal()
# Sent by `StatusNote` when a customer replies. `note`: the step that holds the reply.
reply_received = Signal()
# Sent by `GatewayState` when the gateway is stopped or started, or when its provider begins to answer with unknown
# codes. `state`: its present state; `news`: a `GatewayState.News`.
gateway_changed = Signal()


# A message that has been `sending` for longer counts as interrupted: its process has probably died. An SMS takes at
# most four tries (`Gateway.send`), each of at most SMS_TIMEOUT_SECONDS (60 or less).
LONGEST_SENDING = timedelta(minutes=5)
# `GatewayState.is_doubtful` is true for so long after an answer with an unknown code. It is longer than the backoff of
# the messages (`sender.LONGEST_PAUSE`), so it stays true while each retry gets such an answer.
DOUBT_LASTS = timedelta(minutes=15)


class NotificationQuerySet(AnnouncedQuerySet["NotificationHistory"]):
    to_change = to_remove = "notifications.models.NotificationHistory.move"
    to_add = "notifications.queue.enqueue"

    def due(self) -> NotificationQuerySet:
        """Pending messages whose `send_after` is empty or has passed."""
        ready = models.Q(send_after=None) | models.Q(send_after__lte=timezone.now())
        return self.filter(ready, status=MessageStatus.PENDING)

    def interrupted(self) -> NotificationQuerySet:
        """Messages that have been `sending` for more than LONGEST_SENDING: their process has probably died."""
        return self.filter(status=MessageStatus.SENDING, claimed_at__lt=timezone.now() - LONGEST_SENDING)

    def due_or_interrupted(self) -> NotificationQuerySet:
        # Two subqueries, so that each uses its index.
        rows = NotificationHistory.objects
        return self.filter(models.Q(pk__in=rows.due().values("pk")) | models.Q(pk__in=rows.interrupted().values("pk")))

    def oldest_first(self) -> NotificationQuerySet:
        """Orders by `created_at`. The same query loads the customer and the order."""
        return self.select_related("customer", "order").order_by("created_at", "id")

    def not_resent(self) -> NotificationQuerySet:
        return self.filter(resent_as=None)


class NotificationHistory(models.Model):
    """One message: its recipient, its cause, and its outcome. Its id is the idempotency key, if the provider has one.

    The text is rendered from the order's data when a sender first claims the row. A retry keeps the text.
    `queue.resend` makes a new row with `resend_of`, unless this one is pending or suppressed, or a retry with its id is
    safe.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    type = models.CharField(_("type"), max_length=8, choices=MessageType, default=MessageType.SMS)
    kind = models.CharField(_("kind"), max_length=24, choices=MessageKind)
    order = models.ForeignKey(
        Order, models.PROTECT, null=True, blank=True, related_name="notifications", verbose_name=_("order")
    )
    delivery_attempt = models.PositiveSmallIntegerField(_("delivery attempt"), default=1)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="notifications", verbose_name=_("customer"))
    recipient = models.CharField(_("recipient"), max_length=254, blank=True)
    content = models.TextField(_("text"), blank=True)
    status = models.CharField(_("status"), max_length=12, choices=MessageStatus, default=MessageStatus.PENDING)
    status_reason = models.CharField(_("reason"), max_length=24, choices=Reason, blank=True)
    error_message = models.CharField(_("error"), max_length=LONGEST_ERROR, blank=True)
    gateway = models.CharField(_("gateway"), max_length=24, blank=True)
    provider_message_id = models.CharField(_("provider's id"), max_length=LONGEST_CODE, blank=True, db_index=True)
    raw_status = models.CharField(_("provider's status"), max_length=LONGEST_CODE, blank=True)
    segments = models.PositiveSmallIntegerField(_("segments"), default=0)
    points = models.DecimalField(
        _("points"),
        max_digits=7,
        decimal_places=2,
        null=True,
        blank=True,
        help_text=_("Points that the provider charged."),
    )
    attempts = models.PositiveSmallIntegerField(_("times sent"), default=0)
    overruled = models.BooleanField(_("sent despite our rules"), default=False)
    send_after = models.DateTimeField(_("not before"), null=True, blank=True)
    ask_after = models.DateTimeField(_("next query after"), null=True, blank=True)
    resend_of = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="resent_as", verbose_name=_("sent again from")
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    caused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("caused by"),
    )
    request_id = models.CharField(
        _("request id"), max_length=request_id.LENGTH, blank=True, default=request_id.current, db_default="",
        editable=False, help_text=_("Search the logs for this id."),
    )  # fmt: skip
    # When the event happened. This may be before `created_at`, because a telephone without signal reports late.
    happened_at = models.DateTimeField(_("happened at"), default=timezone.now)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        db_table = "notification_history"
        verbose_name, verbose_name_plural = _("message"), _("messages")
        ordering = ("-created_at", "-id")
        indexes = [
            models.Index(fields=["type", "sent_at"]),
            models.Index(fields=["status"]),
            models.Index(fields=["created_at"]),
        ]
        constraints = [
            # So two clerks who confirm at once cause one SMS. Resends, new dates, and cancelled or failed messages are
            # exempt.
            models.UniqueConstraint(
                fields=["order", "kind", "delivery_attempt", "customer"],
                condition=models.Q(resend_of=None)
                & ~models.Q(kind=MessageKind.ORDER_RESCHEDULED)
                & ~models.Q(status__in=[MessageStatus.CANCELLED, MessageStatus.FAILED]),
                name="one_automatic_message",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.masked_recipient}"

    @property
    def masked_recipient(self) -> str:
        return mask(self.recipient)

    @cached_property
    def template(self) -> MessageTemplate:
        """The texts and the switch of this kind of message. Queried once per object."""
        return MessageTemplate.of(self.kind)

    @property
    def language(self) -> str:
        return texts.language_of(self.customer.language)

    @property
    def body(self) -> str:
        """The text in the customer's language. Its placeholders are not filled in yet."""
        return self.template.body(self.language)

    def render(self) -> str:
        """Returns the whole text from the order's present data. The first line of an e-mail is its subject."""
        if self.type != MessageType.EMAIL:
            return texts.sms(self.body, self.language, self.order)
        items = self.order.items.select_related("product") if self.order else ()
        return texts.email(MessageKind(self.kind), self.body, self.language, self.order, items)

    def is_outdated(self) -> bool:
        """Whether the order has a message of the same kind about a later event.

        Both would be rendered from the order's present data, so the later one is enough.
        """
        later = NotificationHistory.objects.filter(
            order=self.order_id, kind=self.kind, happened_at__gt=self.happened_at
        )
        return later.exists()

    def customer_may_have(self, kinds: Collection[str]) -> bool:
        """Whether the customer has, or may have, a message of one of `kinds` about this message's delivery attempt."""
        messages = NotificationHistory.objects.filter(
            order=self.order_id, customer=self.customer_id, delivery_attempt=self.delivery_attempt, kind__in=kinds
        )
        # A pending message with attempts waits for a retry and may have gone out.
        never_sent = models.Q(status=MessageStatus.PENDING, attempts=0)
        return messages.exclude(status__in=NEVER_REACHED_ANYBODY).exclude(never_sent).exists()

    def first_sent_at(self) -> datetime:
        """Returns when a sender first claimed the message; if none did, when it was created."""
        first = self.trail.filter(status=MessageStatus.SENDING).order_by("id").values_list("at", flat=True).first()
        return first or self.claimed_at or self.sent_at or self.created_at

    def move(self, before: str, to: str, *, by: User | None = None, **columns: Any) -> bool:
        """Changes the status with a conditional UPDATE: only if it is still `before` and no further attempt was made.

        Sets `columns` too, adds a step to the trail (`by`: who requested the change) and sends `message_moved`. False:
        another process was faster, and nothing changed. Raises ValueError for a change that is not in MOVES.
        """
        if to not in MOVES[before]:
            raise ValueError(f"A message cannot change from {before} to {to}.")
        columns["status"] = to
        with transaction.atomic():
            unchanged = NotificationHistory.objects.filter(pk=self.pk, status=before, attempts=self.attempts)
            if not unchanged.unannounced().update(**columns):
                return False
            for name, value in columns.items():
                setattr(self, name, value)
            self.trail.create(
                status=to, reason=columns.get("status_reason", ""), raw_status=self.raw_status, gateway=self.gateway,
                by=by,
            )  # fmt: skip
            message_moved.send(NotificationHistory, message=self)
        return True

    def wait_until(self, moment: datetime) -> bool:
        """Postpones a pending message until `moment`. False: another process was faster."""
        rows = NotificationHistory.objects.filter(pk=self.pk, status=MessageStatus.PENDING, attempts=self.attempts)
        self.send_after = moment
        return bool(rows.unannounced().update(send_after=moment))


class StatusNote(models.Model):
    """One step in a message's trail: a new status, an unknown code or the customer's reply. Ordered by `id`."""

    message = models.ForeignKey(NotificationHistory, models.CASCADE, related_name="trail", verbose_name=_("message"))
    status = models.CharField(_("status"), max_length=12, choices=MessageStatus)
    reason = models.CharField(_("reason"), max_length=24, choices=Reason, blank=True)
    raw_status = models.CharField(_("provider's status"), max_length=LONGEST_CODE, blank=True)
    gateway = models.CharField(_("gateway"), max_length=24, blank=True)
    reply = models.CharField(_("the customer's reply"), max_length=LONGEST_REPLY, blank=True)
    at = models.DateTimeField(_("at"), default=timezone.now)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name, verbose_name_plural = _("step"), _("steps")
        ordering = ("id",)

    def __str__(self) -> str:
        return self.reply or f"{self.get_status_display()} {self.get_reason_display()}".rstrip()


class MessageTemplate(models.Model):
    """The texts of one kind of message, and whether the kind is turned on. An empty text means the default."""

    kind = models.CharField(_("kind"), max_length=24, choices=MessageKind, unique=True, editable=False)
    is_on = models.BooleanField(_("turned on"), default=True)
    body_zh = models.TextField(_("Chinese text"), blank=True, max_length=texts.LONGEST_BODY)
    body_en = models.TextField(_("English text"), blank=True, max_length=texts.LONGEST_BODY)

    BODIES = {"zh-hant": "body_zh", "en": "body_en"}

    class Meta:
        verbose_name, verbose_name_plural = _("message text"), _("message texts")
        ordering = ("id",)

    def __str__(self) -> str:
        return self.get_kind_display()

    @classmethod
    def of(cls, kind: str) -> MessageTemplate:
        """Returns the stored template; if there is none, an unsaved one with the defaults."""
        return cls.objects.filter(kind=kind).first() or cls(kind=kind, is_on=kind not in OFF_BY_DEFAULT)

    @staticmethod
    def make_missing() -> None:
        """Creates missing rows, so that the office can edit every kind."""
        present = set(MessageTemplate.objects.values_list("kind", flat=True))
        rows = [
            MessageTemplate(kind=kind, is_on=kind not in OFF_BY_DEFAULT) for kind in MessageKind if kind not in present
        ]
        MessageTemplate.objects.bulk_create(rows, ignore_conflicts=True)

    def body(self, language: str) -> str:
        """Returns the office's text in `language`, or the default if it is empty. Placeholders are not filled in."""
        return getattr(self, self.BODIES[language]) or texts.TEXTS[language][MessageKind(self.kind)]

    def clean(self) -> None:
        errors: dict[str, Any] = {}
        for language, name in self.BODIES.items():
            setattr(self, name, texts.tidy(getattr(self, name)))
            if found := texts.Preview(self.kind, language, self.body(language)).problems:
                errors[name] = found
        if errors:
            raise ValidationError(errors)


class GatewayState(models.Model):
    """Whether and why one gateway is stopped, its last unknown code and balance, and the time of its last receipt."""

    class News(Enum):
        """What happened to the gateway. `DOUBTED`: the provider answered with an unknown code."""

        STOPPED, STARTED, DOUBTED = range(3)

    gateway = models.CharField(_("gateway"), max_length=24, primary_key=True)
    stopped_at = models.DateTimeField(_("stopped at"), null=True, blank=True)
    stopped_because = models.CharField(_("stopped because"), max_length=LONGEST_CAUSE, blank=True)
    # The last answer to a sending with an unknown code. The message waits. A person should ask the provider what the
    # code means.
    doubted_at = models.DateTimeField(_("unknown code at"), null=True, blank=True)
    doubted_because = models.CharField(_("unknown code"), max_length=LONGEST_CAUSE, blank=True)
    balance = models.DecimalField(_("balance in points"), max_digits=12, decimal_places=2, null=True, blank=True)
    balance_at = models.DateTimeField(_("balance queried at"), null=True, blank=True)
    last_receipt_at = models.DateTimeField(_("last receipt at"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("gateway"), _("gateways")
        ordering = ("gateway",)

    def __str__(self) -> str:
        return self.gateway

    @classmethod
    def of(cls, gateway: str) -> GatewayState:
        return cls.objects.get_or_create(gateway=gateway)[0]

    def stop(self, because: str, *, no_credit: bool) -> bool:
        """Stops the gateway. False: it was stopped already and keeps its first reason.

        `no_credit`: the account has no points left, so a balance query starts the gateway again only if the balance is
        positive and has changed. After any other reason each positive balance does, because it shows that the provider
        accepts our account.
        """
        balance = {} if no_credit else {"balance": None}
        columns: dict[str, Any] = {"stopped_at": timezone.now(), "stopped_because": because[:LONGEST_CAUSE]}
        return self._change_if(models.Q(stopped_at=None), self.News.STOPPED, **columns, **balance)

    def start(self) -> bool:
        """Starts the gateway again; `queue` then sends waiting messages. False: it was not stopped."""
        columns: dict[str, Any] = {"stopped_at": None, "stopped_because": ""}
        return self._change_if(models.Q(stopped_at__isnull=False), self.News.STARTED, **columns)

    @property
    def is_doubtful(self) -> bool:
        """Whether the provider answered a sending with an unknown code within the last DOUBT_LASTS."""
        return self.doubted_at is not None and self.doubted_at > timezone.now() - DOUBT_LASTS

    def mark_doubtful(self, because: str) -> bool:
        """Records an unknown code; `because` is its error text.

        Returns True and sends `gateway_changed`, unless another unknown code came within the last DOUBT_LASTS.
        """
        now, was_doubtful = timezone.now(), models.Q(doubted_at__gt=timezone.now() - DOUBT_LASTS)
        columns: dict[str, Any] = {"doubted_at": now, "doubted_because": because[:LONGEST_CAUSE]}
        is_new = self._change_if(~was_doubtful | models.Q(doubted_at=None), self.News.DOUBTED, **columns)
        if not is_new:
            GatewayState.objects.filter(pk=self.pk).update(**columns)
        return is_new

    def _change_if(self, condition: models.Q, news: News, **columns: Any) -> bool:
        """Changes the state if `condition` holds, and sends `gateway_changed`. Of concurrent callers one gets True."""
        with transaction.atomic():
            if not GatewayState.objects.filter(condition, pk=self.pk).update(**columns):
                return False
            for name, value in columns.items():
                setattr(self, name, value)
            gateway_changed.send(GatewayState, state=self, news=news)
        return True
