"""Authenticates sockets.

The endpoint `track` uses the token of the link from an SMS. The others use a token, else a ticket, else the session
cookie: the first one that is present decides.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.security.websocket import OriginValidator
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, Token

from accounts.roles import NO, no_role, refusal_for
from orders import permissions
from orders.models import Order
from realtime.channels import ENDPOINTS, Identity
from realtime.connection import FORBIDDEN, TOO_FAST, UNAUTHORIZED
from realtime.models import WebSocketTicket
from realtime.rights import session_name
from web import throttling
from web.refusals import Refusal
from web.text import remove_invisible

TICKET_SECONDS = 30
# The scheme of a WebSocket URL (RFC 6455, 3), and the scheme of a page at the same origin.
PAGE_SCHEMES = {"ws": "http", "wss": "https"}

Scope = dict[str, Any]


def query_parameters(scope: Scope) -> dict[str, str]:
    """The parameters of the URL, without invisible characters. The last value of a repeated one counts.

    Raises Refusal if there are more than 20.
    """
    try:
        parsed = parse_qs(scope["query_string"].decode("utf-8", "replace"), max_num_fields=20)
    except ValueError:
        raise Refusal(
            "invalid_query", _("The URL has too many parameters. Please send at most 20."), status=FORBIDDEN
        ) from None
    return {name: remove_invisible(values[-1]) for name, values in parsed.items()}


async def _in_thread(function: Callable[..., Identity], *arguments: Any) -> Identity:
    identity: Identity = await database_sync_to_async(function)(*arguments)
    return identity


async def identify(scope: Scope, endpoint: str) -> Identity:
    """Authenticates the handshake. Raises a Refusal whose `status` is the close code."""
    if endpoint == "nowhere":
        raise Refusal("unknown_endpoint", _("There is no such endpoint. Please check the URL."), status=FORBIDDEN)
    address = throttling.address_of_scope(scope)
    if endpoint == "track":
        return await _in_thread(identity_of_link, scope["url_route"]["kwargs"]["token"], address)
    try:
        identity = await _identity_of_secret(scope, address)
    except Refusal as refusal:
        # Failures are counted in memory, so that a wrong token costs neither a thread nor a query.
        if refusal.status == UNAUTHORIZED and throttling.wait_for("wrong_secret", address, here=True) is not None:
            raise throttling_refusal() from None
        raise
    if not identity.roles:
        raise no_role(FORBIDDEN)
    if endpoint in ENDPOINTS and identity.reach(ENDPOINTS[endpoint]) is NO:
        raise refusal_for(ENDPOINTS[endpoint], status=FORBIDDEN)
    return identity


async def _identity_of_secret(scope: Scope, address: str | None) -> Identity:
    """Authenticates by token, ticket or session. A throttled address may only use a token, which needs no query."""
    parameters = query_parameters(scope)
    if "token" in parameters:
        return identity_of_token(parameters["token"])
    if throttling.wait_left("wrong_secret", address) is not None:
        raise throttling_refusal()
    if "ticket" in parameters:
        return await _in_thread(identity_of_ticket, parameters["ticket"])
    return await identity_of_session(scope)


def throttling_refusal() -> Refusal:
    return Refusal(
        "rate_limited", _("Too many requests from your network. Please wait a minute and try again."), status=TOO_FAST
    )


def identity_of_token(token: str) -> Identity:
    """Reads the identity from the token's claims, without a query. Raises Refusal."""
    try:
        claims = AccessToken(token).payload  # type: ignore[arg-type]  # accepts text too
        user_id = int(claims["user_id"])
    except (TokenError, KeyError, TypeError, ValueError):
        raise Refusal(
            "token_not_valid", _("The token is invalid or has expired. Please sign in again."), status=UNAUTHORIZED
        ) from None
    return Identity(
        user_id, claims.get("role"), claims.get("driver"), claims.get("customer"), float(claims["exp"]),
        password=claims.get("password_mark"), session=claims.get("session"), staff=claims.get("staff"),
    )  # fmt: skip


def new_ticket(user: User, session: str = "") -> str:
    """Creates a ticket for one socket, valid for TICKET_SECONDS, and stores its hash. Deletes expired tickets.

    `session` is a session name (`rights.session_name`): signing out of that session closes the socket.
    """
    ticket = secrets.token_urlsafe(24)
    ends = timezone.now() + timedelta(seconds=TICKET_SECONDS)
    delete_expired_tickets()
    WebSocketTicket.objects.create(key_hash=_hash(ticket), user=user, expires_at=ends, session=session)
    return ticket


def delete_expired_tickets() -> None:
    WebSocketTicket.objects.filter(expires_at__lt=timezone.now()).delete()


def _hash(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()


def identity_of_ticket(ticket: str) -> Identity:
    """Authenticates by a ticket and deletes it. Raises Refusal."""
    valid = WebSocketTicket.objects.filter(key_hash=_hash(ticket), expires_at__gt=timezone.now())
    row = valid.select_related("user__staff_role").first()
    # Deleting the row claims the ticket: of two sockets with the same ticket, only one deletes the row.
    if row is None or not WebSocketTicket.objects.filter(pk=row.pk).delete()[0]:
        raise Refusal(
            "ticket_not_valid",
            _("The ticket is wrong, was already used or has expired. Please request a new one."),
            status=UNAUTHORIZED,
        )
    return _identity_of_user(row.user, row.session)


def session_name_of(request: Request) -> str:
    """The session name of an API request, from its token or its cookie; empty if it has no session."""
    if isinstance(request.auth, Token):
        return str(request.auth.get("session", ""))
    return session_name(request.session.session_key) if request.session.session_key else ""


async def identity_of_session(scope: Scope) -> Identity:
    """Authenticates by session cookie. Raises Refusal.

    Checks the origin, because browsers send the cookie for pages of any origin.
    """
    if not may_use_session(scope):
        raise Refusal(
            "origin_not_allowed",
            _("Without a token or ticket, only pages of this site can connect. Please open a page of this site."),
            status=FORBIDDEN,
        )
    user = await get_user(scope)
    if not user.is_authenticated:
        raise Refusal("not_authenticated", _("Please sign in."), status=UNAUTHORIZED)
    return await _in_thread(_identity_of_user, user, session_name(scope["session"].session_key))


def may_use_session(scope: dict[str, Any]) -> bool:
    """Whether the page may open a socket with the session cookie, by the rules of Django's CSRF check.

    The page's origin must have this site's scheme, host and port, or match one of CSRF_TRUSTED_ORIGINS.
    """
    header = dict(scope["headers"]).get(b"origin", b"").decode("ascii", "replace")
    # For subdomains Django expects `https://*.example.tw`, Channels `https://.example.tw`.
    allowed = [url.replace("://*.", "://.") for url in settings.CSRF_TRUSTED_ORIGINS]
    with suppress(DisallowedHost):
        request = as_request(scope)  # applies the forwarding headers of our own proxies
        allowed.append(f"{request.scheme}://{request.get_host()}")
    try:
        return bool(OriginValidator(None, allowed).valid_origin(urlsplit(header)))
    except ValueError:  # not a URL
        return False


def as_request(scope: Scope) -> ASGIRequest:
    """Wraps the handshake in a Django request, for functions that need one (host, scheme, language)."""
    scheme = scope.get("scheme", "ws")
    return ASGIRequest(scope | {"method": "GET", "scheme": PAGE_SCHEMES.get(scheme, scheme)}, BytesIO())


def _identity_of_user(user: User, session: str) -> Identity:
    if not user.is_active:
        raise Refusal(
            "not_authenticated", _("This account is deactivated. Please ask the office."), status=UNAUTHORIZED
        )
    return Identity.of(user, session)


def identity_of_link(token: str, address: str | None) -> Identity:
    """Authenticates by the token of an order's link. Throttles by client IP. Raises Refusal.

    The link expires a day after the order was delivered or cancelled.
    """
    if throttling.wait_for("track_socket", address) is not None:
        raise throttling_refusal()
    order = permissions.linked_orders(token, Order.objects.all()).values("pk", "customer_id").first()
    if order is None:
        raise Refusal(
            "link_not_valid",
            _("This link has expired or is incomplete. Links expire one day after the delivery or cancellation."),
            status=UNAUTHORIZED,
        )
    return Identity.of_link(order["pk"], order["customer_id"])
