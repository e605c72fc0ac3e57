"""Proof of delivery: what was confirmed, signatures and photos."""

from __future__ import annotations

import secrets
from io import BytesIO

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import models, transaction
from django.db.models import QuerySet
from django.db.models.fields.files import FieldFile
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps

from accounts import visibility
from accounts.roles import Side
from orders.models.order import Order, no_such_order, ref_reused
from orders.models.queries import OrderQuerySet
from orders.permissions import sides_towards
from web.limits import latitude_field, longitude_field
from web.refusals import Refusal
from web.slow_work import OneAtATime, Overloaded

MOST_BYTES = 2 * 1024 * 1024
# 4,000 × 4,000: 64 MB while a PNG is decoded.
MOST_PIXELS = 16_000_000
# Of a side of what is kept. The driver's page sends 1,280.
MOST_KEPT = 2048
MOST_AN_ORDER = 20
QUALITY = 85
# What can be made smaller as it is; of other kinds (a palette, one bit) lines would be lost.
SMOOTH = {"L", "RGB", "RGBA"}
decoding = OneAtATime(_("Many images are arriving. Please try again in a few seconds."))
# Where one is read; the file itself lies outside of what the site serves.
URL_NAME = "order-proof-image"
# Of one delivery, and the letters of one number.
MOST_SERIALS, LONGEST_SERIAL = 200, 40


class ConfirmationType(models.TextChoices):
    QR_CODE = "qr_code", _("QR code")
    SIGNATURE = "signature", _("signature")
    PHOTO = "photo", _("photo")
    MANUAL = "manual", _("manual")


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
    """A JPEG that `keep` made from what was sent. `ref`: as of a command, unique with the user."""

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


def keep(named: OrderQuerySet, kind: str, sent: UploadedFile, *, by: User, ref: str | None = None) -> ProofImage:
    """Keeps an image of the one order of `named`; one with the `ref` of a kept one is that one.

    Raises Refusal; Overloaded where too many images are being decoded.
    """
    kept = ProofImage.objects.filter(by=by, ref=ref).first() if ref else None
    if kept is not None:
        if not named.filter(pk=kept.order_id).exists():
            raise ref_reused()
        return kept
    # Before the image is looked at, and again when the row is held: decoding is dear.
    _check_room(_allowed(visibility.visible(by, named), by))
    content = jpeg(sent)
    with transaction.atomic():
        order = _allowed(visibility.visible(by, named.held()), by)
        # Two of the same ref at once: who waited for the row finds the other's.
        if ref and (kept := order.proof_images.filter(by=by, ref=ref).first()):
            return kept
        _check_room(order)
        image = ContentFile(content, "image.jpg")
        made: ProofImage = order.proof_images.create(attempt=order.attempt, kind=kind, image=image, by=by, ref=ref)
        return made


def _allowed(seen: QuerySet[Order], by: User) -> Order:
    """The one order of `seen`, if this user may keep images of it. Raises Refusal."""
    order = seen.first()
    if order is None:
        raise no_such_order()
    if not sides_towards(by, order) & {Side.OFFICE, Side.DRIVER}:
        raise Refusal("forbidden", _("Only the driver and the office may do this."), status=403)
    return order


def _check_room(order: Order) -> None:
    if order.proof_images.count() >= MOST_AN_ORDER:
        detail = _("An order can have at most %d images.") % MOST_AN_ORDER
        raise Refusal("too_many_images", detail, attr="image", status=409)


def jpeg(sent: UploadedFile) -> bytes:
    """The picture alone, upright, as a JPEG: nothing hidden beside it, nor where it was taken.

    Raises Refusal, Overloaded.
    """
    if (sent.size or 0) > MOST_BYTES:
        raise Refusal(
            "image_too_large",
            _("The image is larger than 2 MB. Please choose a smaller one."),
            attr="image",
            status=413,
        )
    try:
        with Image.open(sent, formats=("JPEG", "PNG")) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                detail = _("The image has more than 16 million pixels. Please choose a smaller one.")
                raise Refusal("image_too_large", detail, attr="image", status=413)
            with decoding.turn():
                return _encoded(opened)
    except (Refusal, Overloaded):
        raise
    except Exception as error:  # decoders raise whatever the bytes lead them into
        raise Refusal(
            "invalid_image", _("This is not a complete JPEG or PNG image. Please choose another."), attr="image"
        ) from error


def _encoded(opened: Image.Image) -> bytes:
    picture = opened if opened.mode in SMOOTH else opened.convert("RGBA")
    # A large JPEG is decoded at a half, a quarter or an eighth of its size (Pillow, `Image.draft`).
    picture.thumbnail((MOST_KEPT, MOST_KEPT))
    upright = ImageOps.exif_transpose(picture).convert("RGBA")
    # A signature without ground is ink on nothing.
    ground = Image.new("RGB", upright.size, "white")
    ground.paste(upright, mask=upright)
    out = BytesIO()
    ground.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
