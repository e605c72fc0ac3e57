"""Proof of delivery: what was confirmed, signatures and photos."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orders.models.order import Order
from web.limits import latitude_field, longitude_field

if TYPE_CHECKING:
    from django.db.models.fields.files import FieldFile


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


class ProofImageKind(models.TextChoices):
    SIGNATURE = "signature", _("signature")
    PHOTO = "photo", _("photo")


def file_name(image: ProofImage, uploaded: str) -> str:
    """Not to be guessed, and nothing of the name that the file came with."""
    return f"proof/{timezone.localdate():%Y/%m}/{secrets.token_hex(16)}.jpg"


class ProofImage(models.Model):
    """A JPEG that `orders.proof_images` made from what was sent. `ref`: as of a command, unique with the user."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="proof_images", verbose_name=_("order"))
    attempt = models.PositiveSmallIntegerField(_("attempt"))
    kind = models.CharField(_("kind"), max_length=12, choices=ProofImageKind)
    image = models.FileField(_("image"), upload_to=file_name, max_length=100)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("by"))
    ref = models.CharField(max_length=64, null=True, blank=True, editable=False)
    uploaded_at = models.DateTimeField(_("received at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("signature or photo"), _("signatures and photos")
        constraints = [models.UniqueConstraint(fields=["by", "ref"], name="one_image_a_ref")]
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    def read(self) -> bytes:
        """The bytes of the JPEG. Raises FileNotFoundError where the file is gone."""
        file: FieldFile = self.image
        with file.open("rb") as opened:
            return bytes(opened.read())
