"""`orders/{id}/proof-images/`: signatures and photos of a delivery."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import visibility
from accounts.api.by_role import RowsByRole
from accounts.roles import Side
from orders import permissions
from orders.models import Order, ProofImage, ProofImageKind, proof
from orders.permissions import sides_towards
from web.api.fields import Strict
from web.api.parsers import MultiPartParser
from web.api.resources import Resource

MAY_SEE = {Side.OFFICE, Side.DRIVER}


@extend_schema_field(OpenApiTypes.BINARY)
class Upload(serializers.FileField):
    """An uploaded file. The schema would describe DRF's own field as a URL."""


class ProofImageInput(Strict):
    """A JPEG or PNG of at most 2 MB. A repeated `ref` returns the image that the first request stored."""

    kind = serializers.ChoiceField(ProofImageKind.choices)
    image = Upload(allow_empty_file=False)
    ref = serializers.CharField(max_length=64, required=False)


class ProofImageOutput(serializers.ModelSerializer[ProofImage]):
    url = serializers.SerializerMethodField()

    class Meta:
        model = ProofImage
        fields = read_only_fields = ("id", "attempt", "kind", "uploaded_at", "url")

    def get_url(self, image: ProofImage) -> str:
        return reverse(proof.URL_NAME, args=[image.order_id, image.pk])


class ProofImages(RowsByRole[Order]):
    """Base class of the view `Orders`, with the actions for images."""

    @extend_schema(
        operation_id="orders_proof_images_create",
        request={"multipart/form-data": ProofImageInput},
        responses={201: ProofImageOutput},
    )
    @action(
        detail=True, methods=["post"], url_path="proof-images", parser_classes=[MultiPartParser],
        rights={"POST": [permissions.DELIVER_ORDER]}, filterset_class=None, pagination_class=None,
    )  # fmt: skip
    def proof_images(self, request: Request, pk: str) -> Response:
        """Uploads an image, also after the delivery: a telephone without signal sends it later."""
        data = self.validated(ProofImageInput).validated_data
        user = cast("User", request.user)
        stored = proof.store(Order.objects.filter(pk=pk), data["kind"], data["image"], by=user, ref=data.get("ref"))
        return Response(ProofImageOutput(stored).data, 201)

    @extend_schema(
        operation_id="orders_proof_images_retrieve",
        parameters=[OpenApiParameter("image", OpenApiTypes.INT, OpenApiParameter.PATH)],
        responses={(200, "image/jpeg"): OpenApiTypes.BINARY},
    )
    @action(
        detail=True, url_path=f"proof-images/(?P<image>{Resource.lookup_value_regex})", url_name="proof-image",
        rights={"GET": ["orders.view_proofimage"]}, filterset_class=None, pagination_class=None,
    )  # fmt: skip
    def proof_image(self, request: Request, pk: str, image: str) -> HttpResponse:
        """Returns the JPEG to the office and the order's driver.

        A driver sees images of earlier attempts only if they uploaded them.
        """
        order = visibility.visible(request.user, Order.objects.filter(pk=pk)).first()
        sides = sides_towards(cast("User", request.user), order) if order else frozenset()
        if order is None or not sides & MAY_SEE:
            raise NotFound
        images = order.proof_images.filter(pk=image)
        if Side.OFFICE not in sides:
            images = images.filter(Q(attempt=order.attempt) | Q(by=request.user))
        return _image_response(images.first())


def _image_response(image: ProofImage | None) -> HttpResponse:
    try:
        content = image.read() if image else None
    except FileNotFoundError as error:
        raise NotFound(
            _("The file of this signature or photo is not on this server. Please upload it again.")
        ) from error
    if content is None:
        raise NotFound
    return HttpResponse(content, "image/jpeg")
