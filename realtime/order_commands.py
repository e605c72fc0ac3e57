"""What drivers and the office do to orders over their socket. A command repeated by its `ref` gets its answer again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from rest_framework import serializers

from accounts.api.tokens import accounts
from accounts.roles import NO, refused
from notifications.sender import no_waiting
from orders import permissions
from orders.api.order_input import ConfirmationInput, MoveDetails, StatusInput
from orders.models import Order, OrderStatusChange
from orders.models.queries import OrderQuerySet
from orders.states import Status
from realtime import frames, rights
from realtime.channels import Identity
from realtime.connection import Connection
from realtime.hub import Hub
from web.actors import Source
from web.limits import MOST_ID
from web.refusals import Refusal

log = logging.getLogger(__name__)
Message = dict[str, Any]
# Threads of the commands' own: a slow one holds up no other socket's handshake and no screen. Twice as many as may wait
# for a locked row (luckygas.lock_waiters), so that commands on other orders go on.
THREADS = ThreadPoolExecutor(max(4, settings.DATABASE_POOL // 2), thread_name_prefix="command")
# What older telephones call it.
SYNONYMS = {"driver_arrived": Status.ARRIVING.value}


async def order_command(hub: Hub, connection: Connection, message: Message) -> None:
    """Carries the command out on a thread and says what became of it."""
    run = database_sync_to_async(carry_out, thread_sensitive=False, executor=THREADS)
    started, outcome = perf_counter(), "broken"
    try:
        answer = await run(connection.identity, message)
        outcome = answer["type"]
    except Refusal as refusal:
        outcome = refusal.code
        raise
    finally:
        said = {"command": message["type"], "outcome": outcome, "user_id": connection.identity.user_id}
        log.info("command", extra=said | {"ms": round((perf_counter() - started) * 1000, 1)})
    connection.say(frames.encode(answer))


def carry_out(identity: Identity, message: Message) -> dict[str, Any]:
    """In a thread. Nobody waits there for an SMS. Raises Refusal."""
    if identity.reach(permissions.DELIVER_ORDER) is NO:
        raise refused(permissions.DELIVER_ORDER)
    found = accounts(identity.session).select_related("staff_role", "driver", "customer")
    user = found.filter(pk=identity.user_id or 0, is_active=True).first()
    # The hub closes this socket, but what comes until then is not done.
    if user is None or user.signed_out or Identity.of(user).rights != identity.rights:
        raise rights.have_ended()
    with no_waiting():
        done = WORK[message["type"]](user, message)
    return {
        "type": "ack", "ref": done.ref, "order_id": done.order_id, "status": done.to_status, "version": done.version,
    }  # fmt: skip


def _update(user: User, message: Message) -> OrderStatusChange:
    status = message.get("status")
    details = _valid(MoveDetails, message.get("details") or {})
    said = _valid(StatusInput, {
        "status": SYNONYMS.get(status, status) if isinstance(status, str) else status,
        **{name: message[name] for name in ("at", "ref", "version") if message.get(name) is not None},
    })  # fmt: skip
    eta, reason = details.pop("eta", None), details.pop("reason", "")
    to = said.pop("status")
    return Order.move_named(
        _named(message), to, by=user, source=Source.SOCKET, eta=eta, reason=reason, details=details, **said
    )


def _confirm(user: User, message: Message) -> OrderStatusChange:
    """`cylinder_serial` is one of `cylinder_serials`."""
    said = {name: value for name, value in message.items() if name not in ("type", "order_id", "cylinder_serial")}
    if message.get("cylinder_serial") is not None:
        more = message.get("cylinder_serials", [])
        said["cylinder_serials"] = [message["cylinder_serial"], *more] if isinstance(more, list) else more
    form = ConfirmationInput(data=said)
    valid = _checked(form)
    circumstances = {name: valid[name] for name in ("version", "ref") if name in valid}
    at, proof = valid.get("confirmed_at"), form.proof()
    return Order.move_named(
        _named(message), Status.DELIVERED, by=user, source=Source.SOCKET, at=at, proof=proof, **circumstances
    )


WORK = {"order_update": _update, "delivery.confirmed": _confirm}


def _named(message: Message) -> OrderQuerySet:
    """The order named by its id or by its number, or none."""
    named = message.get("order_id")
    if isinstance(named, int) and not isinstance(named, bool) and 0 < named <= MOST_ID:
        return Order.objects.filter(pk=named)
    if isinstance(named, str) and len(named) <= 9 and "\0" not in named:
        return Order.objects.filter(order_number=named)
    return Order.objects.none()


def _valid(form: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
    return dict(_checked(form(data=data)))


def _checked(form: serializers.Serializer[Any]) -> Mapping[str, Any]:
    if not form.is_valid():
        name, errors = next(iter(form.errors.items()))
        raise Refusal("invalid_message", f"{name}: {_first(errors)}")
    valid: Mapping[str, Any] = form.validated_data
    return valid


def _first(errors: Any) -> str:
    """The first sentence of nested errors."""
    while isinstance(errors, (list, dict)) and errors:
        errors = errors[0] if isinstance(errors, list) else next(iter(errors.values()))
    return str(errors)
