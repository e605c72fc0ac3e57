"""Keeps the signatures and photos of deliveries."""

from __future__ import annotations

from io import BytesIO

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps

from orders.models import Order, ProofImage
from orders.models.moves import ref_reused
from orders.permissions import roles_towards, visible_orders
from orders.refusals import Refusal, no_such_order
from orders.states import Role

MOST_BYTES = 2 * 1024 * 1024
# 4,000 × 4,000: 48 MB while it is decoded.
MOST_PIXELS = 16_000_000
MOST_AN_ORDER = 20
QUALITY = 85


def keep(named: QuerySet[Order], kind: str, sent: UploadedFile, *, by: User, ref: str | None = None) -> ProofImage:
    """Keeps an image of the one order of `named`; one with the `ref` of a kept one is that one. Raises Refusal."""
    kept = ProofImage.objects.filter(by=by, ref=ref).first() if ref else None
    if kept is None:
        return _add(named, kind, jpeg(sent), by, ref)
    if not named.filter(pk=kept.order_id).exists():
        raise ref_reused()
    return kept


def _add(named: QuerySet[Order], kind: str, content: bytes, by: User, ref: str | None) -> ProofImage:
    with transaction.atomic():
        order = visible_orders(by, named).select_for_update(of=("self",), no_key=True).first()
        if order is None:
            raise no_such_order()
        if not roles_towards(by, order) & {Role.OFFICE, Role.DRIVER}:
            raise Refusal("forbidden", _("Only the driver and the office may do this."), status=403)
        # Two of the same ref at once: who waited for the row finds the other's.
        if ref and (kept := order.proof_images.filter(by=by, ref=ref).first()):
            return kept
        if order.proof_images.count() >= MOST_AN_ORDER:
            detail = _("An order can have at most %d images.") % MOST_AN_ORDER
            raise Refusal("too_many_images", detail, attr="image", status=409)
        image = ContentFile(content, "image.jpg")
        made: ProofImage = order.proof_images.create(attempt=order.attempt, kind=kind, image=image, by=by, ref=ref)
        return made


def jpeg(sent: UploadedFile) -> bytes:
    """The picture alone, upright, as a JPEG: nothing hidden beside it, nor where it was taken. Raises Refusal."""
    if (sent.size or 0) > MOST_BYTES:
        raise Refusal("image_too_large", _("The image is larger than 2 MB."), attr="image", status=413)
    try:
        return _encoded(sent)
    except Refusal:
        raise
    except Exception as error:  # decoders raise whatever the bytes lead them into
        raise _no_image() from error


def _encoded(sent: UploadedFile) -> bytes:
    with Image.open(sent, formats=("JPEG", "PNG")) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            raise Refusal("image_too_large", _("The image has more than 16 million pixels."), attr="image", status=413)
        upright = ImageOps.exif_transpose(opened).convert("RGBA")
    # A signature without ground is ink on nothing.
    picture = Image.new("RGB", upright.size, "white")
    picture.paste(upright, mask=upright)
    out = BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _no_image() -> Refusal:
    return Refusal("invalid_image", _("This is no whole JPEG or PNG image."), attr="image")
