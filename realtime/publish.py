"""Publishes custom events for programs and the office, through the same log as all events (docs/realtime.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_standardized_errors.formatter import flatten_errors
from rest_framework import serializers

from customers.models import Customer
from dispatch.models import Driver, Route
from orders.models import Order
from realtime import channels
from realtime.events import EventDraft, order_channels
from realtime.outbox import announce
from web.api.fields import Strict, id_field
from web.api.parsers import unstorable
from web.limits import MAX_ID
from web.refusals import Refusal

# Maximum size of an event's data, as JSON in UTF-8. Every subscriber receives a copy.
MAX_BYTES = 16 * 1024
# Maximum depth of nested objects and lists in the data.
MAX_DEPTH = 20
CUSTOM = re.compile(r"custom(\.[A-Za-z0-9_-]+)+")
MAX_TYPE_LENGTH = 64
SEVERITIES = ("info", "success", "warning", "error")
# The rows that a channel with a number can name. `track` is missing: a tracking link shows only data of its order.
ROWS: dict[str, QuerySet[Any]] = {
    "user": User.objects.filter(is_active=True),
    "driver": Driver.objects.all(),
    "customer": Customer.objects.all(),
    "route": Route.objects.all(),
    "order": Order.objects.locked(),  # locked until the commit, so that its driver and customer cannot change before
}


class Action(Strict):
    type = serializers.CharField(max_length=64)
    order_id = id_field(required=False)


class MessageForm(Strict):
    message = serializers.CharField(max_length=2000)
    severity = serializers.ChoiceField(SEVERITIES, default="info")


class NotificationForm(MessageForm):
    title = serializers.CharField(max_length=200)
    action = Action(required=False)


FORMS: dict[str, type[Strict]] = {
    "system.message": MessageForm,
    "maintenance.alert": MessageForm,
    "notification": NotificationForm,
}


@transaction.atomic
def publish(type_: str, data: Mapping[str, Any], *, channel: str | None = None, user: int | None = None) -> EventDraft:
    """Publishes an event to a channel (`staff`: all office screens), or to all screens of the user with the id `user`.

    The event is written to the outbox in the open transaction. Clients that are offline get it when they resume. The
    types `system.message` and `maintenance.alert` go to the channel `system` by default. `custom.*` carries any JSON
    object. Raises Refusal.
    """
    if type_ not in FORMS and (len(type_) > MAX_TYPE_LENGTH or not CUSTOM.fullmatch(type_)):
        detail = _(
            "The type must be system.message, maintenance.alert, notification or custom.<name>. A type has at most %d "
            "characters."
        )
        raise Refusal("unknown_type", detail % MAX_TYPE_LENGTH, attr="type")
    targets = _target_channels(type_, channel, user)
    _check_data(data)
    payload = _validated_data(FORMS[type_](data=data)) if type_ in FORMS else dict(data)
    announce(type_, f"published:{targets[0]}", {"data": payload, "channels": targets})
    return EventDraft(type_, targets, payload)


def _target_channels(type_: str, channel: str | None, user: int | None) -> list[str]:
    """The channels to publish to, the requested one first. Raises Refusal."""
    if channel and user is not None:
        raise Refusal("two_targets", _("Please give a channel or a user, not both."), attr="user")
    if user is not None:
        channel = f"user:{user}"
    elif not channel:
        if type_ not in ("system.message", "maintenance.alert"):
            raise Refusal("required", _("Please give a channel or a user."), attr="channel")
        channel = "system"
    if not (targets := _channels_of(channel)):
        attr = "channel" if user is None else "user"
        raise Refusal(
            "unknown_channel",
            _("There is no channel “%s” to publish to. Please check the name and the id.") % channel,
            attr=attr,
        )
    return targets


def _channels_of(channel: str) -> list[str]:
    """The channel; for an order also the channels of its customer and driver. Empty if the channel does not exist."""
    kind, _colon, number = channel.partition(":")
    if not channels.exists(channel) or not number:
        return [channel] if channels.exists(channel) else []
    row = ROWS[kind].filter(pk=int(number)).first() if kind in ROWS else None
    if isinstance(row, Order):
        return order_channels(row.pk, row.customer_id, row.driver_id)
    return [channel] if row else []


def _check_data(data: Any) -> None:
    """Raises a Refusal unless it is a JSON object that every database, server and browser can hold."""
    if not isinstance(data, dict):
        raise Refusal("invalid", _("The data of an event must be a JSON object."), attr="data")
    level: list[Any] = [data]
    for _depth in range(MAX_DEPTH):
        level = [inner for value in level for inner in _nested_values(value)]
    if level:
        raise Refusal(
            "too_deep",
            _("The data is nested more than %d levels deep. Please use fewer levels.") % MAX_DEPTH,
            attr="data",
        )
    try:
        size = len(json.dumps(data, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError):
        raise _invalid_data() from None
    if size > MAX_BYTES:
        detail = _("The data of an event may have at most %d bytes of JSON. Please send an id instead.") % MAX_BYTES
        raise Refusal("too_large", detail, attr="data")


def _nested_values(value: Any) -> Iterable[Any]:
    """The values nested in `value`. Raises a Refusal for values that JSON allows and a database cannot store."""
    if isinstance(value, dict) and all(isinstance(key, str) and not unstorable(key) for key in value):
        return value.values()
    if isinstance(value, list):
        return value
    if isinstance(value, dict) or (isinstance(value, str) and unstorable(value)):
        raise _invalid_data()
    if isinstance(value, (int, float)) and abs(value) > MAX_ID:
        raise _invalid_data()
    return ()


def _invalid_data() -> Refusal:
    detail = _(
        "The data contains a value that cannot be stored, such as NUL, NaN or a very large number. Please remove it."
    )
    return Refusal("invalid", detail, attr="data")


def _validated_data(form: Strict) -> dict[str, Any]:
    if not form.is_valid():
        error = flatten_errors({"data": form.errors})[0]
        raise Refusal(error.code, error.detail, attr=error.attr)
    return dict(form.validated_data)
