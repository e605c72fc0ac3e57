"""Handles the messages that a client sends on its socket. A refused message gets an error; the socket stays open."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.db import Error
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_standardized_errors.formatter import flatten_errors
from rest_framework import serializers
from structlog.contextvars import bound_contextvars

from accounts.api.tokens import users_with_signed_out
from accounts.roles import NO, OWN, refusal_for
from notifications.sender import no_waiting
from orders import permissions
from orders.api.order_input import ConfirmationInput, MoveDetails, StatusInput
from orders.models import Order, OrderStatusChange
from orders.models.queries import OrderQuerySet
from orders.states import OrderStatus
from realtime import auth, channels, frames, metrics, positions, rights
from realtime.channels import Identity
from realtime.connection import Connection
from realtime.hub import Hub
from realtime.publish import MAX_TYPE_LENGTH
from web import request_id
from web.actors import Source
from web.api.exceptions import temporary_failure
from web.limits import MAX_ID
from web.refusals import Refusal
from web.text import remove_invisible_from_json

logger = logging.getLogger(__name__)
Message = dict[str, Any]
Handler = Callable[[Hub, Connection, Message], Awaitable[None]]
# A connection with this many channels may not subscribe to another. A URL may name this many besides the connection's
# own; further names are ignored. A board needs a dozen.
MAX_CHANNELS = 100
DRIVE_RIGHT = channels.ENDPOINTS["driver"]
# The threads of order commands. They are separate, so that slow commands do not delay handshakes and events. At most
# half of them may go on waiting for a locked row (luckygas.lock_waiters), so that commands on other orders continue.
THREADS = ThreadPoolExecutor(max(4, settings.DATABASE_POOL // 2), thread_name_prefix="command")
# Status names that older driver apps send.
SYNONYMS = {"driver_arrived": OrderStatus.ARRIVING.value}


async def handle(hub: Hub, connection: Connection, text: str | None) -> None:
    """Executes one message, or answers it with an error."""
    ref: Any = None
    allowed = connection.count_message()
    metrics.MESSAGES.inc()
    try:
        message = parse(text)
        ref = message.get("ref") if isinstance(message.get("ref"), str) else None
        if not allowed:
            raise Refusal("rate_limited", _("Too many messages. Please wait a moment and send this one again."))
        handler = HANDLERS.get(message["type"])
        if handler is None:
            detail = _("The message type “%s” is unknown. Please correct it.") % message["type"][:MAX_TYPE_LENGTH]
            raise Refusal("unknown_type", detail)
        with bound_contextvars(request_id=request_id.new()):
            await handler(hub, connection, message)
    except Refusal as refusal:
        _refuse(hub, connection, refusal.code, refusal.detail, ref)
    except Error as error:
        if (problem := temporary_failure(error)) is None:
            raise
        # The client may retry: either nothing was done, or a retry with the same `ref` gets the first receipt.
        _refuse(hub, connection, str(problem.get_codes()), problem.detail, ref)


def _refuse(hub: Hub, connection: Connection, code: str, detail: Any, ref: Any) -> None:
    metrics.ERRORS.labels(code).inc()
    connection.write(frames.error_message(code, detail, ref))


def parse(text: str | None) -> Message:
    """Parses a message: a JSON object with a `type`. Raises Refusal."""
    if text is None:
        raise Refusal("invalid_message", _("Please send text, not binary data."))
    try:
        message = json.loads(text, parse_constant=_refuse_constant)
        # Refuses lone surrogates, because UTF-8 cannot encode them in an answer.
        json.dumps(remove_invisible_from_json(message), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Refusal(
            "invalid_json", _("This is not valid JSON in UTF-8, or is nested too deeply. Please correct it.")
        ) from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise Refusal("invalid_message", _("A message must be a JSON object whose `type` is a string."))
    return message


def _refuse_constant(name: str) -> None:
    raise ValueError(f"RFC 8259 does not allow {name}")


async def heartbeat(hub: Hub, connection: Connection, message: Message) -> None:
    frame = {"type": "heartbeat", "timestamp": frames.iso(timezone.now()), "last_event_id": hub.cursor}
    connection.write(frames.encode(frame))


async def subscribe(hub: Hub, connection: Connection, message: Message) -> None:
    """Subscribes from the next event on. Clients load earlier data by REST."""
    channel = _channel(message)
    if len(connection.channels - {channel}) >= MAX_CHANNELS:
        raise Refusal(
            "too_many_channels",
            _("A connection can subscribe to at most %d channels. Please unsubscribe from one first.") % MAX_CHANNELS,
        )
    if not await may_read(connection.identity, channel):
        raise Refusal("forbidden", channels.NOT_YOURS)
    hub.readers.subscribe(connection, [channel])
    _confirm_subscription(hub, connection, "subscribed", channel)
    hub.positions.schedule_latest(connection, [channel])


async def unsubscribe(hub: Hub, connection: Connection, message: Message) -> None:
    channel = _channel(message)
    hub.readers.unsubscribe(connection, channel)
    _confirm_subscription(hub, connection, "unsubscribed", channel)


async def location_update(hub: Hub, connection: Connection, message: Message) -> None:
    """Accepts the newest position of a driver's message. Only a refused message gets an answer: an error."""
    driver_id = connection.identity.driver_id
    if driver_id is None or connection.identity.reach(DRIVE_RIGHT) is not OWN:
        raise refusal_for(DRIVE_RIGHT)
    hub.positions.accept(positions.newest_location(driver_id, message))


async def authenticate(hub: Hub, connection: Connection, message: Message) -> None:
    """Replaces the token of a connection before it expires.

    Raises Refusal if the connection has no token, or if the new one is invalid, of another user or with other rights.
    """
    token, old = message.get("token"), connection.identity
    if not isinstance(token, str):
        raise Refusal("invalid_message", _("`token` must be a string. Please send the new token in it."))
    new = auth.identity_of_token(token)
    hub.readers.revocations.check(new)
    if old.expires_at is None or new.user_id != old.user_id:
        raise Refusal(
            "forbidden",
            _("This connection was opened by someone else or without a token. Please connect again with this token."),
        )
    if new.rights != old.rights:
        raise Refusal("rights_ended", _("Your account was changed. Please connect again with the new token."))
    connection.identity = new
    connection.schedule_expiry()
    frame = {"type": "authenticated", "expires_at": frames.iso_of_timestamp(new.expires_at)}
    connection.write(frames.encode(frame | {"timestamp": frames.iso(timezone.now())}))


def _confirm_subscription(hub: Hub, connection: Connection, type_: str, channel: str) -> None:
    connection.write(frames.encode({"type": type_, "channel": channel, "last_event_id": hub.cursor}))


def _channel(message: Message) -> str:
    """Returns the channel of a message. Raises Refusal if there is no such channel."""
    channel = message.get("channel")
    if not isinstance(channel, str) or not channels.exists(channel):
        raise Refusal("unknown_channel", _("There is no such channel. Please check the name and the id."))
    return channel


async def may_read(identity: Identity, channel: str) -> bool:
    if channels.needs_query(identity, channel):
        return bool(await database_sync_to_async(channels.may_read)(identity, channel))
    return channels.may_read(identity, channel)


async def requested_channels(
    identity: Identity, endpoint: str, parameters: dict[str, str]
) -> tuple[list[str], list[str]]:
    """Returns the channels that a new connection subscribes to, and the refused ones.

    Refused are those of `?channels=a,b` that do not exist or that it may not read.
    """
    wanted, refused = channels.own_channels(identity, endpoint), list[str]()
    for channel in parameters.get("channels", "").split(",")[:MAX_CHANNELS]:
        if channel and channel not in wanted:
            allowed = channels.exists(channel) and await may_read(identity, channel)
            (wanted if allowed else refused).append(channel)
    return wanted, refused


def parse_cursor(parameters: dict[str, str]) -> tuple[int | None, str | None]:
    """Reads `since` and `epoch` from the URL. An invalid `since` becomes -1, which is treated as pruned."""
    since = parameters.get("since")
    if since is None:
        return None, None
    return (int(since) if since.isascii() and since.isdigit() and len(since) < 19 else -1), parameters.get("epoch")


# --- orders: commands are idempotent by `ref`; a retry gets the first receipt -------------------------------------


async def order_command(hub: Hub, connection: Connection, message: Message) -> None:
    """Executes an order command on a thread, logs its outcome and sends the receipt."""
    run = database_sync_to_async(execute, thread_sensitive=False, executor=THREADS)
    started, outcome = perf_counter(), "broken"
    try:
        answer = await run(connection.identity, message)
        outcome = answer["type"]
    except Refusal as refusal:
        outcome = refusal.code
        raise
    finally:
        extra = {"command": message["type"], "outcome": outcome, "user_id": connection.identity.user_id}
        logger.info("command", extra=extra | {"ms": round((perf_counter() - started) * 1000, 1)})
    connection.write(frames.encode(answer))


def execute(identity: Identity, message: Message) -> dict[str, Any]:
    """Executes an order command and returns its receipt. Waits for the database, not for SMS. Raises Refusal."""
    if identity.reach(permissions.DELIVER_ORDER) is NO:
        raise refusal_for(permissions.DELIVER_ORDER)
    found = users_with_signed_out(identity.session).select_related("staff_role", "driver", "customer")
    user = found.filter(pk=identity.user_id or 0, is_active=True).first()
    # The hub is about to close this socket. Refuse the commands that arrive until then.
    if user is None or user.signed_out or Identity.of(user).rights != identity.rights:
        raise rights.revoked_refusal()
    with no_waiting():
        done = ORDER_COMMANDS[message["type"]](user, message)
    return {
        "type": "ack", "ref": done.ref, "order_id": done.order_id, "status": done.to_status, "version": done.version,
    }  # fmt: skip


def _update_order(user: User, message: Message) -> OrderStatusChange:
    status = message.get("status")
    details = _validated_data(MoveDetails(data=message.get("details") or {}))
    data = {name: message[name] for name in ("at", "ref", "version") if message.get(name) is not None}
    data["status"] = SYNONYMS.get(status, status) if isinstance(status, str) else status
    valid = _validated_data(StatusInput(data=data))
    eta, reason, to = details.pop("eta", None), details.pop("reason", ""), valid.pop("status")
    return Order.move_one(
        _find_order(message), to, by=user, source=Source.SOCKET, eta=eta, reason=reason, details=details, **valid
    )


def _confirm_delivery(user: User, message: Message) -> OrderStatusChange:
    """Confirms a delivery. A single `cylinder_serial` is added to `cylinder_serials`."""
    data = {name: value for name, value in message.items() if name not in ("type", "order_id", "cylinder_serial")}
    if message.get("cylinder_serial") is not None:
        more = message.get("cylinder_serials", [])
        data["cylinder_serials"] = [message["cylinder_serial"], *more] if isinstance(more, list) else more
    form = ConfirmationInput(data=data)
    valid = _validated_data(form)
    circumstances = {name: valid[name] for name in ("version", "ref") if name in valid}
    at, proof = valid.get("confirmed_at"), form.proof()
    return Order.move_one(
        _find_order(message), OrderStatus.DELIVERED, by=user, source=Source.SOCKET, at=at, proof=proof, **circumstances
    )


ORDER_COMMANDS = {"order_update": _update_order, "delivery.confirmed": _confirm_delivery}


def _find_order(message: Message) -> OrderQuerySet:
    """A queryset of the order with this id or order number; empty if the value is neither."""
    named = message.get("order_id")
    if isinstance(named, int) and not isinstance(named, bool) and 0 < named <= MAX_ID:
        return Order.objects.filter(pk=named)
    if isinstance(named, str) and len(named) <= 9 and "\0" not in named:
        return Order.objects.filter(order_number=named)
    return Order.objects.none()


def _validated_data(form: serializers.Serializer[Any]) -> dict[str, Any]:
    """Returns the validated data. Raises Refusal with the first error."""
    if not form.is_valid():
        error = flatten_errors(form.errors)[0]
        raise Refusal("invalid_message", f"{error.attr}: {error.detail}")
    return dict(form.validated_data)


HANDLERS: dict[str, Handler] = {
    "heartbeat": heartbeat,
    "subscribe": subscribe,
    "unsubscribe": unsubscribe,
    "order_update": order_command,
    "delivery.confirmed": order_command,
    "location_update": location_update,
    "authenticate": authenticate,
}
