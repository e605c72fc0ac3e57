"""Proof of delivery."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from orders.models.order import Order
from web.coordinates import latitude_field, longitude_field


class ConfirmationType(models.TextChoices):
    QR_CODE = "qr_code", _("QR code")
    SIGNATURE = "signature", _("signature")
    PHOTO = "photo", _("photo")
    MANUAL = "manual", _("manual")


# Of one delivery, and the letters of one number.
MOST_SERIALS, LONGEST_SERIAL = 200, 40


class DeliveryConfirmation(models.Model):
    """How we know that one attempt was delivered, written in the transaction of the move to delivered."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="confirmations", verbose_name=_("order"))
    attempt = models.PositiveSmallIntegerField(_("attempt"))
    confirmation_type = models.CharField(_("proof"), max_length=12, choices=ConfirmationType)
    cylinder_serials = models.JSONField(_("cylinder serials"), default=list, blank=True)
    confirmed_at = models.DateTimeField(_("confirmed at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    latitude = latitude_field()
    longitude = longitude_field()

    class Meta:
        verbose_name, verbose_name_plural = _("proof of delivery"), _("proofs of delivery")
        constraints = [models.UniqueConstraint(fields=["order", "attempt"], name="one_confirmation_an_attempt")]
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.get_confirmation_type_display()} {self.confirmed_at:%Y-%m-%d %H:%M}"
