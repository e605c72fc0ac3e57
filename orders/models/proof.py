"""Proof of delivery: confirmations, signatures and photos."""

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

# Maximum size of an uploaded file.
MAX_BYTES = 2 * 1024 * 1024
# Maximum width × height of an uploaded image: 4,000 × 4,000. Decoding such a PNG takes 64 MB.
MAX_PIXELS = 16_000_000
# Longest side of a stored image, in pixels. The driver's page sends 1,280.
MAX_STORED_PIXELS = 2048
MAX_PER_ORDER = 20
# JPEG quality of stored images.
QUALITY = 85
# Pillow modes in which an image can be scaled. In other modes (palette, one bit) it would lose thin lines.
SCALABLE_MODES = {"L", "RGB", "RGBA"}
decoding = OneAtATime(_("Many files are being uploaded. Please try again in a few seconds."))
# The URL name of the view that returns an image. The files lie outside the directories that the web server serves: only
# this view, which checks permissions, returns them.
URL_NAME = "order-proof-image"
# How many serial numbers a delivery may have, and how many characters one of them, at most.
MAX_SERIALS, MAX_SERIAL_LENGTH = 200, 40


class ConfirmationType(models.TextChoices):
    QR_CODE = "qr_code", _("QR code")
    SIGNATURE = "signature", _("signature")
    PHOTO = "photo", _("photo")
    MANUAL = "manual", _("manual")


class DeliveryConfirmation(models.Model):
    """Proof of one attempt's delivery, written in the transaction of the move to delivered."""

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
    """A random path that nobody can guess. The uploaded name is ignored."""
    return f"proof/{timezone.localdate():%Y/%m}/{secrets.token_hex(16)}.jpg"


class ProofImage(models.Model):
    """A JPEG that `store` made from an upload. `ref` is the client's idempotency key, unique per user."""

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
        """The bytes of the JPEG. Raises FileNotFoundError if the file is missing."""
        file: FieldFile = self.image
        with file.open("rb") as opened:
            return bytes(opened.read())


def store(orders: OrderQuerySet, kind: str, upload: UploadedFile, *, by: User, ref: str | None = None) -> ProofImage:
    """Stores an image for the only order in `orders`. Repeating a `ref` returns the image stored before.

    Raises Refusal; Overloaded if too many images are being decoded.
    """
    stored = ProofImage.objects.filter(by=by, ref=ref).first() if ref else None
    if stored is not None:
        if not orders.filter(pk=stored.order_id).exists():
            raise ref_reused()
        return stored
    # These checks run before the decoding, which is expensive, and again when the order is locked.
    _check_count(_allowed_order(visibility.visible(by, orders), by))
    content = to_jpeg(upload)
    with transaction.atomic():
        order = _allowed_order(visibility.visible(by, orders.locked()), by)
        # A concurrent request with the same ref may have stored the image while this one waited for the lock.
        if ref and (stored := order.proof_images.filter(by=by, ref=ref).first()):
            return stored
        _check_count(order)
        image = ContentFile(content, "image.jpg")
        created: ProofImage = order.proof_images.create(attempt=order.attempt, kind=kind, image=image, by=by, ref=ref)
        return created


def _allowed_order(seen: QuerySet[Order], by: User) -> Order:
    """The only order in `seen`, if this user may store images for it. Raises Refusal."""
    order = seen.first()
    if order is None:
        raise no_such_order()
    if not sides_towards(by, order) & {Side.OFFICE, Side.DRIVER}:
        raise Refusal("forbidden", _("Only the office and the order's driver may do this."), status=403)
    return order


def _check_count(order: Order) -> None:
    if order.proof_images.count() >= MAX_PER_ORDER:
        detail = _("An order can have at most %d signatures and photos.") % MAX_PER_ORDER
        raise Refusal("too_many_images", detail, attr="image", status=409)


def to_jpeg(upload: UploadedFile) -> bytes:
    """Encodes an upload again as an upright JPEG, without metadata such as the place where it was taken.

    Raises Refusal if the file is too large, or not a complete JPEG or PNG. Raises Overloaded if too many images are
    being decoded.
    """
    if (upload.size or 0) > MAX_BYTES:
        raise Refusal(
            "image_too_large",
            _("The file is larger than 2 MB. Please choose a smaller one."),
            attr="image",
            status=413,
        )
    try:
        with Image.open(upload, formats=("JPEG", "PNG")) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise _too_many_pixels()
            with decoding.turn():
                return _encode(opened)
    except (Refusal, Overloaded):
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except Exception as error:  # decoders raise many kinds of errors for malformed bytes
        raise Refusal(
            "invalid_image", _("This is not a complete JPEG or PNG file. Please choose another."), attr="image"
        ) from error


def _too_many_pixels() -> Refusal:
    detail = _("The file has more than 16 million pixels. Please choose a smaller one.")
    return Refusal("image_too_large", detail, attr="image", status=413)


def _encode(opened: Image.Image) -> bytes:
    picture = opened if opened.mode in SCALABLE_MODES else opened.convert("RGBA")
    # A large JPEG is decoded at a half, a quarter or an eighth of its size (Pillow, `Image.draft`).
    picture.thumbnail((MAX_STORED_PIXELS, MAX_STORED_PIXELS))
    upright = ImageOps.exif_transpose(picture).convert("RGBA")
    # A signature has a transparent background, which JPEG cannot store.
    ground = Image.new("RGB", upright.size, "white")
    ground.paste(upright, mask=upright)
    out = BytesIO()
    ground.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
