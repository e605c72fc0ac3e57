"""Signatures and photos that belong to a delivery."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orders.models.order import Order

if TYPE_CHECKING:
    from django.db.models.fields.files import FieldFile


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
