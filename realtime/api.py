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
from realtime.frames import add_pairs
from realtime.publish import MAX_TYPE_LENGTH, publish
from web import flags
from web.api.errors import ErrorResponse
from web.api.exceptions import NotDone
from web.api.fields import Strict, id_field
from web.api.resources import LastEventId
from web.limits import MAX_ID
from web.refusals import Refusal

# Maximum number of events in one response, and of log rows read for it. A client of few channels needs more requests.
MAX_EVENTS = 500
MAX_ROWS = 5000
# The `Retry-After` header while live updates are turned off: how often pages reload their data.
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
    """A custom event for a channel or a user. If neither is given, system.message and maintenance.alert go to all."""

    type = serializers.CharField(
        max_length=MAX_TYPE_LENGTH,
        help_text=_("system.message, maintenance.alert, notification, or custom.<name>, such as custom.shift."),
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
        if not flags.is_on(flags.REAL_TIME):
            raise NotDone(channels.SWITCHED_OFF, "switched_off", RELOAD_SECONDS)
        query = EventQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        identity = Identity.of(request.user)  # type: ignore[arg-type]  # ByRole lets only users in
        wanted = _wanted_channels(identity, query.validated_data["channel"])
        log.assign_event_ids()
        return Response(_build_page(wanted, **query.validated_data))

    @extend_schema(operation_id="events_publish", request=NewEvent, responses={201: PublishedEvent})
    def post(self, request: Request) -> Response:
        """Publishes an event to a channel or to one user. Clients that are offline get it when they resume."""
        form = NewEvent(data=request.data)
        form.is_valid(raise_exception=True)
        valid = form.validated_data
        event = publish(valid["type"], valid.get("data", {}), channel=valid.get("channel"), user=valid.get("user"))
        return Response({"type": event.type, "channel": event.channels[0], "data": event.data}, 201)


def _wanted_channels(identity: Identity, channel: str) -> set[str]:
    """The channels of the events to return: those of `channel`, or all of the caller's own if `channel` is empty.

    Raises Refusal if `channel` does not exist (404) or the caller may not read it (403).
    """
    if not channel:
        endpoints = ["ws", *(name for name, right in channels.ENDPOINTS.items() if identity.reach(right) is not NO)]
        return {name for endpoint in endpoints for name in channels.own_channels(identity, endpoint)}
    if not channels.exists(channel):
        raise Refusal(
            "unknown_channel",
            _("There is no such channel. Please check the name and the id."),
            attr="channel",
            status=404,
        )
    if not channels.may_read(identity, channel):
        raise Refusal("forbidden", channels.NOT_YOURS, attr="channel", status=403)
    return set(channels.event_channels(identity, channel))


def _build_page(wanted: set[str], since: int, epoch: str, limit: int, **_rest: Any) -> dict[str, Any]:
    """Returns the fields of `EventPage`. Raises Refusal (410) if events after `since` are missing from the log."""
    head = log.head()
    is_covered = log.covers(since, epoch, floor=head.floor, seq=head.seq, log_epoch=head.epoch, past=head.past)
    rows = log.read(since, MAX_ROWS) if is_covered else []
    # If the rows do not begin right after `since`, earlier ones were pruned after the head was read.
    if not is_covered or (rows and rows[0].seq != since + 1):
        detail = _(
            "This cursor is too old or belongs to another event log. Load the current state and resume from its cursor."
        )
        raise Refusal("cursor_gone", detail, attr="since", status=410)
    visible = list(islice((row for row in rows if not wanted.isdisjoint(add_pairs(row.channels))), limit))
    has_room = len(visible) < limit
    last = (rows[-1].seq if rows else since) if has_room else visible[-1].seq
    events = [frames.envelope(row) for row in visible]
    return {"events": events, "last_event_id": last, "epoch": head.epoch, "more": last < head.seq}


TicketSchema = inline_serializer(
    "WebSocketTicket", {"ticket": serializers.CharField(), "expires_in": serializers.IntegerField()}
)


class Ticket(APIView):
    rights: Mapping[str, Collection[str]] = {"POST": []}  # a ticket grants only what the account already may do

    @extend_schema(operation_id="websocket_ticket_create", request=None, responses={201: TicketSchema})
    def post(self, request: Request) -> Response:
        """Issues a ticket for clients that should not put their token into a URL. It works once, within 30 seconds."""
        ticket = auth.new_ticket(request.user, auth.session_name_of(request))  # type: ignore[arg-type]
        return Response({"ticket": ticket, "expires_in": auth.TICKET_SECONDS}, status=201)
