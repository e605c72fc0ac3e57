"""Every message to a customer, accounted for."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifications.states import Kind, Reason, Status
from orders import phones
from orders.models import Customer, Order


class NotificationQuerySet(models.QuerySet["NotificationHistory"]):
    def due(self) -> NotificationQuerySet:
        """Pending, and not to wait any longer."""
        ready = models.Q(send_after=None) | models.Q(send_after__lte=timezone.now())
        return self.filter(ready, status=Status.PENDING)

    def not_resent(self) -> NotificationQuerySet:
        return self.filter(resent_as=None)


class NotificationHistory(models.Model):
    """One message: to whom, why, what the provider said of it. Its id is the provider's idempotency key.

    The text is rendered when the row is claimed for sending, so that it says what is true then.
    """

    class Type(models.TextChoices):
        SMS = "sms", _("SMS")
        EMAIL = "email", _("e-mail")

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
    error_message = models.CharField(_("error"), max_length=500, blank=True)
    gateway = models.CharField(_("gateway"), max_length=24, blank=True)
    provider_message_id = models.CharField(_("provider's id"), max_length=80, blank=True, db_index=True)
    raw_status = models.CharField(_("provider's status"), max_length=80, blank=True)
    segments = models.PositiveSmallIntegerField(_("segments"), default=0)
    attempts = models.PositiveSmallIntegerField(_("times sent"), default=0)
    send_after = models.DateTimeField(_("not before"), null=True, blank=True)
    resend_of = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="resent_as", verbose_name=_("repeats")
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        db_table = "notification_history"
        verbose_name, verbose_name_plural = _("message"), _("messages")
        ordering = ("-created_at", "-id")
        indexes = [models.Index(fields=["type", "sent_at"]), models.Index(fields=["status"])]
        constraints = [
            # Two clerks who confirm at once cost one SMS; what a person asks for again is exempt.
            models.UniqueConstraint(
                fields=["order", "kind", "delivery_attempt"],
                condition=models.Q(resend_of=None),
                name="one_automatic_message",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.masked_recipient}"

    @property
    def masked_recipient(self) -> str:
        return phones.mask(self.recipient) if self.type == self.Type.SMS else self.recipient

    def move(self, before: str, to: str, **columns: Any) -> bool:
        """A conditional write: `before` → `to`, if the row is still in `before`. False: somebody else was faster."""
        with transaction.atomic():
            # The one UPDATE decides, alike on SQLite and PostgreSQL; from then on the row is ours until the commit.
            if not NotificationHistory.objects.filter(pk=self.pk, status=before).update(status=to):
                return False
            for name, value in columns.items():
                setattr(self, name, value)
            self.status = to
            self.save(update_fields=["status", *columns])
        return True
