"""The endpoint to which SMS providers send receipts and replies.

Their requests are not signed. So the path holds a secret, and each request must match one of our messages.
"""

from __future__ import annotations

import logging
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, Throttled
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from customers import phones
from notifications import receipts
from notifications.gateways import get_gateway
from notifications.gateways.base import Gateway, Receipt, ReceiptError, Reply
from web import throttling
from web.api.errors import ErrorResponse
from web.api.parsers import FormParser, unstorable
from web.refusals import Refusal

log = logging.getLogger(__name__)
# Maximum parameters of a callback, and characters of each: more than twice what any provider sends. A customer's reply
# may be several SMS long.
MAX_FIELDS, MAX_CHARACTERS = 40, 4000
CALLBACK_SCHEMA = extend_schema(
    request={"application/x-www-form-urlencoded": OpenApiTypes.OBJECT},
    responses={
        (200, "text/plain"): OpenApiResponse(
            OpenApiTypes.STR, description=_("The response that the provider expects.")
        ),
        400: ErrorResponse,
    },
    auth=[],
)


class Callback(APIView):
    """Accepts receipts and customers' replies in the provider's format. They may repeat and come in any order."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = (FormParser,)
    throttle_classes = ()

    @CALLBACK_SCHEMA
    def get(self, request: Request, gateway: str, secret: str, message: UUID | None = None) -> HttpResponse:
        """Called by SMS providers. 404: wrong secret, gateway, address or id. 400: invalid receipt or wrong number."""
        caller = calling_gateway(request, gateway, secret)
        report = None
        try:
            report = parse(caller, request.query_params.dict() | dict(request.data.items()))
            receipts.record(caller, report, message)
        except Refusal as refusal:
            number = phones.mask(report.phone) if report else "-"
            log.warning("A receipt from %s (number %s) was refused: %s", caller.name, number, refusal.code)
            raise
        return HttpResponse(caller.acknowledgement(report), content_type="text/plain; charset=utf-8")

    @CALLBACK_SCHEMA
    def post(self, request: Request, gateway: str, secret: str, message: UUID | None = None) -> HttpResponse:
        """The same as `get`, for providers that post a form."""
        return self.get(request, gateway, secret, message)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        # Django would log the path of a refused request, which holds the secret. `get` and `calling_gateway` log
        # refusals without it.
        response._has_been_logged = True
        return super().finalize_response(request, response, *args, **kwargs)


def calling_gateway(request: Request, name: str, secret: str) -> Gateway:
    """Returns the gateway that calls. Raises NotFound whatever is wrong, and Throttled after too many wrong calls."""
    ours = settings.SMS_CALLBACK_SECRET
    is_right = bool(ours) and constant_time_compare(secret, ours)
    if not is_right or name not in settings.SMS_GATEWAYS or not from_known_address(request.META.get("REMOTE_ADDR", "")):
        log.warning("A receipt for %s was refused: wrong secret, gateway or address.", name[:24])
        if (wait := throttling.wait_for_request("callback", request._request)) is not None:
            raise Throttled(wait)
        raise NotFound
    return get_gateway(name)


def from_known_address(address: str) -> bool:
    """Whether SMS_CALLBACK_ADDRESSES allows this peer address; an empty list allows every IP address.

    X-Forwarded-For is ignored, because anybody can forge it.
    """
    known = settings.SMS_CALLBACK_ADDRESSES
    try:
        peer: Any = ip_address(address)
        peer = getattr(peer, "ipv4_mapped", None) or peer  # a dual-stack socket reports ::ffff:203.0.113.7
        return not known or any(peer in ip_network(network, strict=False) for network in known)
    except ValueError:  # a Unix socket has no address
        return False


def parse(gateway: Gateway, parameters: dict[str, str]) -> Receipt | Reply:
    """Parses the parameters of a callback. Raises Refusal if they are too many, too long or invalid."""
    values = parameters.values()
    if len(values) > MAX_FIELDS or any(len(value) > MAX_CHARACTERS or unstorable(value) for value in values):
        raise Refusal(
            "invalid",
            _(
                "The receipt has too many fields, or a field is too long or contains NUL. Please send the "
                "documented fields only."
            ),
        )
    try:
        return gateway.receipt(parameters)
    except ReceiptError as error:
        raise Refusal("invalid", str(error)) from None
