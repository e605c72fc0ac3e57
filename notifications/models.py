"""Every message to a customer, accounted for."""

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
    Kind,
    Reason,
    Status,
    Type,
)
from orders.models import Order
from web import request_id
from web.tracked import AnnouncedQuerySet

# Sender `NotificationHistory`, `message` as it is now, in its new status.
message_moved = Signal()
# Sender `StatusNote`, `note` with the customer's answer.
reply_received = Signal()
# Sender `GatewayState`, `state` as it is now, `news`: what happened to it, a `GatewayState.News`.
gateway_changed = Signal()


# All tries together take twice SMS_TIMEOUT_SECONDS (60 at most) and three connections.
LONGEST_SENDING = timedelta(minutes=5)
# What waits is tried again within ten minutes (`sender.LONGEST_PAUSE`).
DOUBT_LASTS = timedelta(minutes=15)


class NotificationQuerySet(AnnouncedQuerySet["NotificationHistory"]):
    to_change = to_remove = "notifications.models.NotificationHistory.move"
    to_add = "notifications.queue.put"

    def due(self) -> NotificationQuerySet:
        """Pending, and not to wait any longer."""
        ready = models.Q(send_after=None) | models.Q(send_after__lte=timezone.now())
        return self.filter(ready, status=Status.PENDING)

    def interrupted(self) -> NotificationQuerySet:
        """Being sent for longer than any sending takes: the process that did it has died."""
        return self.filter(status=Status.SENDING, claimed_at__lt=timezone.now() - LONGEST_SENDING)

    def owed(self) -> NotificationQuerySet:
        """What waits, and what a dead process was sending."""
        # Two subqueries, so that each goes by its index.
        rows = NotificationHistory.objects
        return self.filter(models.Q(pk__in=rows.due().values("pk")) | models.Q(pk__in=rows.interrupted().values("pk")))

    def oldest_first(self) -> NotificationQuerySet:
        """With what a sender reads."""
        return self.select_related("customer", "order").order_by("created_at", "id")

    def not_resent(self) -> NotificationQuerySet:
        return self.filter(resent_as=None)


class NotificationHistory(models.Model):
    """One message: to whom, why, what the provider said of it. Its id is the provider's idempotency key.

    The text is rendered when the row is claimed for sending, so that it says what is true then. What a person asks to
    send again is a row of its own, `resend_of` the first; only what may already have gone out keeps its id.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    type = models.CharField(_("type"), max_length=8, choices=Type, default=Type.SMS)
    kind = models.CharField(_("kind"), max_length=24, choices=Kind)
    order = models.ForeignKey(
        Order, models.PROTECT, null=True, blank=True, related_name="notifications", verbose_name=_("order")
    )
    delivery_attempt = models.PositiveSmallIntegerField(_("delivery attempt"), default=1)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="notifications", verbose_name=_("customer"))
    recipient = models.CharField(_("recipient"), max_length=254, blank=True)
    content = models.TextField(_("text"), blank=True)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.PENDING)
    status_reason = models.CharField(_("reason"), max_length=24, choices=Reason, blank=True)
    error_message = models.CharField(_("error"), max_length=LONGEST_ERROR, blank=True)
    gateway = models.CharField(_("gateway"), max_length=24, blank=True)
    provider_message_id = models.CharField(_("provider's id"), max_length=LONGEST_CODE, blank=True, db_index=True)
    raw_status = models.CharField(_("provider's status"), max_length=LONGEST_CODE, blank=True)
    segments = models.PositiveSmallIntegerField(_("segments"), default=0)
    points = models.DecimalField(
        _("points"), max_digits=7, decimal_places=2, null=True, blank=True, help_text=_("What the provider charged.")
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
        editable=False, help_text=_("Find it in the logs by this id."),
    )  # fmt: skip
    # A telephone without signal reports late what it did: the row is then younger than what it tells of.
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
            # Two clerks who confirm at once cost one SMS. What a person asks for again is exempt, and so is a new date,
            # and what never reached the customer: both of these statuses are final.
            models.UniqueConstraint(
                fields=["order", "kind", "delivery_attempt", "customer"],
                condition=models.Q(resend_of=None)
                & ~models.Q(kind=Kind.ORDER_RESCHEDULED)
                & ~models.Q(status__in=[Status.CANCELLED, Status.FAILED]),
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
        """As the office has it now; asked once for an object, so a row that is read anew has the new words."""
        return MessageTemplate.of(self.kind)

    @property
    def language(self) -> str:
        return texts.language_of(self.customer.language)

    @property
    def body(self) -> str:
        """What the office wants to say, its placeholders still open."""
        return self.template.body(self.language)

    def render(self) -> str:
        """The whole text, as it is true now. The first line of an e-mail is its subject."""
        if self.type != Type.EMAIL:
            return texts.sms(self.body, self.language, self.order)
        items = self.order.items.select_related("product") if self.order else ()
        return texts.email(Kind(self.kind), self.body, self.language, self.order, items)

    def is_outdated(self) -> bool:
        """Whether the order has a later message of this kind, which says what this one would say now."""
        later = NotificationHistory.objects.filter(
            order=self.order_id, kind=self.kind, happened_at__gt=self.happened_at
        )
        return later.exists()

    def was_told(self, kinds: Collection[str]) -> bool:
        """Whether its customer has, or may have, a message of one of `kinds` about the same delivery attempt."""
        same = NotificationHistory.objects.filter(
            order=self.order_id, customer=self.customer_id, delivery_attempt=self.delivery_attempt, kind__in=kinds
        )
        # What waits to be given to its provider once more may have gone out.
        return same.exclude(status__in=NEVER_REACHED_ANYBODY).exclude(status=Status.PENDING, attempts=0).exists()

    def first_sent_at(self) -> datetime:
        """When a provider was first given it; of one that no provider was given, when it was made."""
        first = self.trail.filter(status=Status.SENDING).order_by("id").values_list("at", flat=True).first()
        return first or self.claimed_at or self.sent_at or self.created_at

    def move(self, before: str, to: str, *, by: User | None = None, **columns: Any) -> bool:
        """A conditional write: `before` → `to`, if the row is still in `before` and was not sent since it was read.

        `by`: who asked for it, for the trail.
        False: somebody else was faster, and nothing was changed. Raises ValueError for a move that MOVES does not have.
        """
        if to not in MOVES[before]:
            raise ValueError(f"A message that is {before} does not become {to}.")
        columns["status"] = to
        with transaction.atomic():
            still = NotificationHistory.objects.filter(pk=self.pk, status=before, attempts=self.attempts)
            if not still.unannounced().update(**columns):
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
        """Leaves a pending row to a later hour. False: somebody else was faster."""
        still = NotificationHistory.objects.filter(pk=self.pk, status=Status.PENDING, attempts=self.attempts)
        self.send_after = moment
        return bool(still.unannounced().update(send_after=moment))


class StatusNote(models.Model):
    """One step in what became known of a message, or what the customer answered: its trail, in the order of `id`."""

    message = models.ForeignKey(NotificationHistory, models.CASCADE, related_name="trail", verbose_name=_("message"))
    status = models.CharField(_("status"), max_length=12, choices=Status)
    reason = models.CharField(_("reason"), max_length=24, choices=Reason, blank=True)
    raw_status = models.CharField(_("provider's status"), max_length=LONGEST_CODE, blank=True)
    gateway = models.CharField(_("gateway"), max_length=24, blank=True)
    reply = models.CharField(_("the customer's answer"), max_length=LONGEST_REPLY, blank=True)
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
    """The words of one kind of message, and whether it is sent at all. An empty text stands for the default."""

    kind = models.CharField(_("kind"), max_length=24, choices=Kind, unique=True, editable=False)
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
        """The stored one, or, where the office never touched it, the default, unsaved."""
        return cls.objects.filter(kind=kind).first() or cls(kind=kind, is_on=kind not in OFF_BY_DEFAULT)

    @staticmethod
    def make_missing() -> None:
        """Gives every kind its row, so that there is one to open and edit."""
        present = set(MessageTemplate.objects.values_list("kind", flat=True))
        rows = [MessageTemplate(kind=kind, is_on=kind not in OFF_BY_DEFAULT) for kind in Kind if kind not in present]
        MessageTemplate.objects.bulk_create(rows, ignore_conflicts=True)

    def body(self, language: str) -> str:
        """What is sent in `language`, its placeholders still open."""
        return getattr(self, self.BODIES[language]) or texts.TEXTS[language][Kind(self.kind)]

    def clean(self) -> None:
        wrong: dict[str, Any] = {}
        for language, name in self.BODIES.items():
            setattr(self, name, texts.tidy(getattr(self, name)))
            if found := texts.Preview(self.kind, language, self.body(language)).problems:
                wrong[name] = found
        if wrong:
            raise ValidationError(wrong)


class GatewayState(models.Model):
    """What is known of one provider, one row each: stopped by what it said, its balance, its last receipt."""

    class News(Enum):
        """What can happen to it; `DOUBTED`: it gave an answer that is not understood."""

        STOPPED, STARTED, DOUBTED = range(3)

    gateway = models.CharField(_("gateway"), max_length=24, primary_key=True)
    stopped_at = models.DateTimeField(_("stopped at"), null=True, blank=True)
    stopped_because = models.CharField(_("stopped because"), max_length=LONGEST_CAUSE, blank=True)
    # The last answer with a code that nobody knows: the messages wait, and a person should ask the provider.
    doubted_at = models.DateTimeField(_("not understood at"), null=True, blank=True)
    doubted_because = models.CharField(_("not understood"), max_length=LONGEST_CAUSE, blank=True)
    balance = models.DecimalField(_("balance in points"), max_digits=12, decimal_places=2, null=True, blank=True)
    balance_at = models.DateTimeField(_("balance asked at"), null=True, blank=True)
    last_receipt_at = models.DateTimeField(_("last receipt at"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("gateway"), _("gateways")
        ordering = ("gateway",)

    def __str__(self) -> str:
        return self.gateway

    @classmethod
    def of(cls, gateway: str) -> GatewayState:
        return cls.objects.get_or_create(gateway=gateway)[0]

    def stop(self, because: str, *, is_poor: bool) -> bool:
        """No message goes by it any more. False: it was stopped already, and the first reason stays.

        `is_poor`: for want of credit; otherwise any credit that the provider names says that it takes our account.
        """
        known = {} if is_poor else {"balance": None}
        columns: dict[str, Any] = {"stopped_at": timezone.now(), "stopped_because": because[:LONGEST_CAUSE]}
        return self._turn(self.News.STOPPED, models.Q(stopped_at=None), **columns, **known)

    def start(self) -> bool:
        """Messages go by it again, those that waited at once. False: it was not stopped."""
        columns: dict[str, Any] = {"stopped_at": None, "stopped_because": ""}
        return self._turn(self.News.STARTED, models.Q(stopped_at__isnull=False), **columns)

    @property
    def is_doubtful(self) -> bool:
        """Whether it said lately what nobody understands; a message that waits for it asks again within that time."""
        return self.doubted_at is not None and self.doubted_at > timezone.now() - DOUBT_LASTS

    def doubt(self, because: str) -> bool:
        """Notes an answer that is not understood. False: that the provider gives such answers was told lately."""
        now, was_doubtful = timezone.now(), models.Q(doubted_at__gt=timezone.now() - DOUBT_LASTS)
        columns: dict[str, Any] = {"doubted_at": now, "doubted_because": because[:LONGEST_CAUSE]}
        told = self._turn(self.News.DOUBTED, ~was_doubtful | models.Q(doubted_at=None), **columns)
        if not told:
            GatewayState.objects.filter(pk=self.pk).update(**columns)
        return told

    def _turn(self, news: News, if_: models.Q, **columns: Any) -> bool:
        """A conditional write, as `NotificationHistory.move`: of several at once one tells the receivers."""
        with transaction.atomic():
            if not GatewayState.objects.filter(if_, pk=self.pk).update(**columns):
                return False
            for name, value in columns.items():
                setattr(self, name, value)
            gateway_changed.send(GatewayState, state=self, news=news)
        return True
