"""The REST endpoints: read and publish events, and get a ticket for a socket."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import NO
from realtime import auth, channels, frames, log
from realtime.channels import Identity
from realtime.event_schema import AnyEvent
from realtime.frames import with_pairs
from realtime.publish import LONGEST_TYPE, publish
from web import flags
from web.api.errors import ErrorResponse
from web.api.exceptions import NotDone
from web.api.fields import Strict, id_field
from web.api.resources import LastEventId
from web.limits import MAX_ID
from web.refusals import Refusal

# The most events in one response, and the most log rows read for it. A client of few channels needs more pages.
MAX_EVENTS = 500
MAX_ROWS = 5000
# `Retry-After` while live updates are turned off: how often pages reload their data.
RELOAD_SECONDS = 30


class EventQuery(serializers.Serializer[Any]):
    since = serializers.IntegerField(min_value=0, max_value=MAX_ID, default=0)
    epoch = serializers.CharField(max_length=32, default="", allow_blank=True)
    channel = serializers.CharField(max_length=64, default="", allow_blank=True)
    limit = serializers.IntegerField(min_value=1, max_value=MAX_EVENTS, default=100)


class EventPage(serializers.Serializer[Any]):
    events = serializers.ListField(child=AnyEvent())
    last_event_id = serializers.IntegerField()
    epoch = serializers.CharField()
    more = serializers.BooleanField()


class NewEvent(Strict):
    """A custom event: to a channel or to one user; `system.message` and `maintenance.alert` to all unless named."""

    type = serializers.CharField(
        max_length=LONGEST_TYPE,
        help_text=_("system.message, maintenance.alert, notification, or custom. and a name, such as custom.shift."),
    )
    channel = serializers.CharField(max_length=64, required=False, allow_null=True)
    user = id_field(required=False, allow_null=True)
    data = serializers.DictField(required=False)  # type: ignore[assignment]


class PublishedEvent(serializers.Serializer[Any]):
    type = serializers.CharField()
    channel = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]


class Events(LastEventId):
    rights = {"GET": ["orders.view_order"], "POST": ["realtime.publish_event"]}

    @property
    def throttle_scope(self) -> str | None:
        return "events" if self.request.method in SAFE_METHODS else None

    @extend_schema(
        operation_id="events_list",
        parameters=[EventQuery],
        responses={200: EventPage, 404: ErrorResponse, 410: ErrorResponse, 503: ErrorResponse},
    )
    def get(self, request: Request) -> Response:
        """Returns the events after `since` that the caller may see, from all their channels or from one.

        Continue from `last_event_id`; at once if `more` is true. 410 `cursor_gone`: load a snapshot first. 503
        `switched_off`: reload the data after `Retry-After` until events are available again.
        """
        if not flags.on(flags.REAL_TIME):
            raise NotDone(channels.SWITCHED_OFF, "switched_off", RELOAD_SECONDS)
        query = EventQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        identity = Identity.of(request.user)  # type: ignore[arg-type]  # ByRole lets only users in
        wanted = _channels(identity, query.validated_data["channel"])
        log.number()
        return Response(_page(wanted, **query.validated_data))

    @extend_schema(operation_id="events_publish", request=NewEvent, responses={201: PublishedEvent})
    def post(self, request: Request) -> Response:
        """Publishes an event to a channel or to one user. Clients that are offline get it when they resume."""
        form = NewEvent(data=request.data)
        form.is_valid(raise_exception=True)
        valid = form.validated_data
        event = publish(valid["type"], valid.get("data", {}), channel=valid.get("channel"), user=valid.get("user"))
        return Response({"type": event.type, "channel": event.channels[0], "data": event.data}, 201)


def _channels(identity: Identity, channel: str) -> set[str]:
    """The channels to look for in events: those of `channel`, or all of the caller's own if it is empty."""
    if not channel:
        endpoints = ["ws", *(name for name, right in channels.ENDPOINTS.items() if identity.reach(right) is not NO)]
        return {name for endpoint in endpoints for name in channels.own(identity, endpoint)}
    if not channels.exists(channel):
        raise Refusal(
            "unknown_channel",
            _("There is no such channel. Please check the name and the id."),
            attr="channel",
            status=404,
        )
    if not channels.may_read(identity, channel):
        raise Refusal("forbidden", channels.NOT_YOURS, attr="channel", status=403)
    return set(channels.read_as(identity, channel))


def _page(wanted: set[str], since: int, epoch: str, limit: int, **_rest: Any) -> dict[str, Any]:
    head = log.head()
    kept = log.covers(since, epoch, floor=head.floor, seq=head.seq, log_epoch=head.epoch, past=head.past)
    rows = log.read(since, MAX_ROWS) if kept else []
    # If the rows begin later, they were pruned after the head was read.
    if not kept or (rows and rows[0].seq != since + 1):
        detail = _(
            "This cursor is too old or belongs to another event log. Load the current state and resume from its cursor."
        )
        raise Refusal("cursor_gone", detail, attr="since", status=410)
    seen = list(islice((row for row in rows if not wanted.isdisjoint(with_pairs(row.channels))), limit))
    whole = len(seen) < limit
    last = (rows[-1].seq if rows else since) if whole else seen[-1].seq
    events = [frames.envelope(row) for row in seen]
    return {"events": events, "last_event_id": last, "epoch": head.epoch, "more": last < head.seq}


TicketSchema = inline_serializer(
    "WebSocketTicket", {"ticket": serializers.CharField(), "expires_in": serializers.IntegerField()}
)


class Ticket(APIView):
    rights: Mapping[str, Collection[str]] = {"POST": []}  # a ticket grants only what the account already may do

    @extend_schema(operation_id="websocket_ticket_create", request=None, responses={201: TicketSchema})
    def post(self, request: Request) -> Response:
        """Issues a ticket for clients that should not put their token into a URL. It works once, within 30 seconds."""
        ticket = auth.new_ticket(request.user, auth.session_of(request))  # type: ignore[arg-type]
        return Response({"ticket": ticket, "expires_in": auth.TICKET_SECONDS}, status=201)
