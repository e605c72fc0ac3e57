"""REST API of messages, for the office."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, cast

import django_filters as filters
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.by_role import Filters
from notifications import queue, statistics
from notifications.models import NotificationHistory, StatusNote
from notifications.models import NotificationQuerySet as Rows
from notifications.sender import no_waiting
from notifications.states import MessageKind, MessageStatus, Reason
from notifications.statistics import midnight
from orders.api.statistics import PERIOD, days_of
from web.api.fields import Strict
from web.api.lists import ChoicesFilter, IdFilter, ordering
from web.api.resources import ReadOnlyResource


class NotificationSerializer(serializers.ModelSerializer[NotificationHistory]):
    """A message in a list. The recipient is masked."""

    recipient = serializers.SerializerMethodField()
    status_reason = serializers.ChoiceField(Reason.choices, read_only=True, allow_blank=True)
    order_number = serializers.CharField(source="order.order_number", default=None, read_only=True)
    customer_name = serializers.CharField(source="customer.name", read_only=True)
    points = serializers.FloatField(read_only=True, allow_null=True, help_text=_("Points that the provider charged."))
    resent_as = serializers.PrimaryKeyRelatedField[Any](read_only=True, allow_null=True, default=None)

    def get_recipient(self, row: NotificationHistory) -> str:
        return row.masked_recipient

    class Meta:
        model = NotificationHistory
        fields = [
            "id", "type", "kind", "order", "order_number", "customer", "customer_name", "recipient", "content",
            "status", "status_reason", "error_message", "gateway", "provider_message_id", "raw_status", "segments",
            "points", "attempts", "delivery_attempt", "caused_by", "requested_by", "overruled", "send_after",
            "resend_of", "resent_as", "happened_at", "created_at", "sent_at", "delivered_at",
        ]  # fmt: skip
        read_only_fields = fields


class StepSerializer(serializers.ModelSerializer[StatusNote]):
    reason = serializers.ChoiceField(Reason.choices, read_only=True, allow_blank=True)

    class Meta:
        model = StatusNote
        fields = ["at", "status", "reason", "raw_status", "gateway", "reply", "by"]
        read_only_fields = fields


class NotificationDetailSerializer(NotificationSerializer):
    """One message with its trail. Users with the permission see the whole recipient."""

    trail = StepSerializer(many=True, read_only=True)

    class Meta(NotificationSerializer.Meta):
        fields = [*NotificationSerializer.Meta.fields, "trail"]
        read_only_fields = fields

    def get_recipient(self, row: NotificationHistory) -> str:
        may_see = self.context["request"].user.has_perm("notifications.view_full_number")
        return row.recipient if may_see else row.masked_recipient


class ResendSerializer(Strict):
    overrule = serializers.BooleanField(
        default=False,
        help_text=_("Send the message even if the customer opted out or this kind of message is turned off."),
    )


class AllReportedSerializer(serializers.Serializer[Any]):
    messages = serializers.IntegerField(help_text=_("Messages that no longer wait for a later report."))


class DaySerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    gateway = serializers.CharField()
    status = serializers.ChoiceField(MessageStatus.choices)
    messages = serializers.IntegerField()
    segments = serializers.IntegerField()
    points = serializers.FloatField(help_text=_("Points that the provider reported as charged."))


class FiguresSerializer(serializers.Serializer[Any]):
    messages = serializers.IntegerField()
    tried = serializers.IntegerField(help_text=_("Messages that were handed to a provider."))
    segments = serializers.IntegerField(help_text=_("Segments of messages that the provider may charge for."))
    points = serializers.FloatField(help_text=_("Points that the provider reported as charged."))
    taken_share = serializers.FloatField(
        allow_null=True, help_text=_("Share of attempted messages that the provider accepted, 0 to 1.")
    )
    delivered_share = serializers.FloatField(
        allow_null=True, help_text=_("Share of messages with a final report that were delivered, 0 to 1.")
    )


class GatewayDaySerializer(FiguresSerializer):
    day = serializers.DateField()
    gateway = serializers.CharField()


class StatisticsSerializer(FiguresSerializer):
    to = serializers.DateField()
    days = DaySerializer(many=True)
    gateways = GatewayDaySerializer(many=True)

    def get_fields(self) -> dict[str, Any]:
        # `from` is a keyword of Python, so it cannot be an attribute.
        return {"from": serializers.DateField(), **super().get_fields()}


class NotificationFilters(Filters):
    status = ChoicesFilter(choices=MessageStatus.choices, help_text=_("One or more, separated by commas."))
    kind = ChoicesFilter(choices=MessageKind.choices, help_text=_("One or more, separated by commas."))
    order = IdFilter()
    customer = IdFilter()
    created_at_from = filters.DateFilter(method="created_from", help_text=_("Created on or after this day."))
    created_at_to = filters.DateFilter(method="created_to", help_text=_("Created on or before this day."))
    ordering = ordering("created_at", "sent_at")

    class Meta:
        model = NotificationHistory
        fields: list[str] = []

    def created_from(self, rows: Rows, name: str, day: date) -> Rows:
        return rows.filter(created_at__gte=midnight(day))

    def created_to(self, rows: Rows, name: str, day: date) -> Rows:
        return rows.filter(created_at__lt=midnight(day + timedelta(days=1)))


class Notifications(ReadOnlyResource[NotificationHistory]):
    """SMS and e-mail to customers, for the office."""

    queryset = NotificationHistory.objects.select_related("order", "customer", "resent_as")
    filterset_class = NotificationFilters
    lookup_value_regex = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

    def get_serializer_class(self) -> type[NotificationSerializer]:
        return NotificationSerializer if self.action == "list" else NotificationDetailSerializer

    @extend_schema(request=ResendSerializer, responses=NotificationDetailSerializer)
    @action(
        detail=True, methods=["post"], rights={"POST": [queue.SEND_AGAIN]}, filterset_class=None,
        pagination_class=None,
    )  # fmt: skip
    def resend(self, request: Request, pk: str) -> Response:
        """Sends the message again. Answers with the same or a new message, and its outcome if known in time."""
        options = ResendSerializer(data=request.data)
        options.is_valid(raise_exception=True)
        row = queue.resend(self.get_object(), by=cast(User, request.user), **options.validated_data)
        return Response(self.get_serializer(row).data)

    @extend_schema(request=None, responses=AllReportedSerializer)
    @action(
        detail=False, methods=["post"], url_path="all-reported", rights={"POST": ["dispatch.drive"]},
        filterset_class=None, pagination_class=None,
    )  # fmt: skip
    def all_reported(self, request: Request) -> Response:
        """Called when a driver's telephone has sent all reports that waited for a signal.

        The message of a late report waits for a minute, because a later report may make it untrue. This call ends
        the wait. Repeated calls do no harm.
        """
        with no_waiting():
            count = queue.end_wait_for_reports(cast(User, request.user))
        return Response(AllReportedSerializer({"messages": count}).data)

    @extend_schema(parameters=PERIOD, responses=StatisticsSerializer)
    @action(detail=False, filterset_class=None, pagination_class=None)
    def statistics(self, request: Request) -> Response:
        """Messages by day, gateway and status, with delivered share and cost. By default of the last 30 days."""
        return Response(StatisticsSerializer(statistics.summary(*days_of(request))).data)
