"""Response bodies of `orders/`, built on the fields of `orders.order_fields`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Case, F, OuterRef, Subquery, When
from django.utils.functional import classproperty
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.api.by_role import FieldsByRole
from accounts.roles import Side
from orders import order_fields
from orders.api.proof_images import ProofImageOutput
from orders.models import DeliveryConfirmation, OrderItem, OrderStatusChange, ProofImage
from orders.models.order import MAX_REPORT_DELAY
from orders.models.queries import OrderQuerySet
from orders.order_fields import ItemOutput, OrderFieldsSerializer, iso_text
from orders.states import OrderStatus


class ByField(serializers.CharField):
    """The name of the user who made the move or the delivery; null for the system."""

    def __init__(self) -> None:
        super().__init__(source="by", read_only=True, allow_null=True)

    def to_representation(self, value: Any) -> str:
        return str(value.get_full_name() or value.get_username())


class HistoryOutput(serializers.ModelSerializer[OrderStatusChange]):
    from_status = serializers.ChoiceField(
        OrderStatus.choices,
        read_only=True,
        allow_blank=True,
        help_text=_("Empty for the first entry, when the order was placed."),
    )
    changed_by = ByField()
    sent_later = serializers.BooleanField(
        read_only=True, help_text=_("Whether the change was made offline and reported later. `at` is when it was made.")
    )

    class Meta:
        model = OrderStatusChange
        fields = read_only_fields = (
            "from_status", "to_status", "changed_by", "source", "reason", "at", "recorded_at", "sent_later", "details",
            "version",
        )  # fmt: skip


class ConfirmationOutput(serializers.ModelSerializer[DeliveryConfirmation]):
    confirmed_by = ByField()

    class Meta:
        model = DeliveryConfirmation
        fields = read_only_fields = (
            "attempt", "confirmation_type", "cylinder_serials", "confirmed_at", "confirmed_by", "latitude", "longitude",
        )  # fmt: skip


class OrderOutput(FieldsByRole, OrderFieldsSerializer):
    """An order in a list."""

    @classproperty
    def seen_by(cls) -> Mapping[Side, frozenset[str]]:  # noqa: N805
        return {side: frozenset(field.name for field in order_fields.fields_seen_by(side)) for side in Side}


class WholeOrderOutput(OrderOutput):
    """One order. The office also gets its history and proofs of delivery."""

    history = HistoryOutput(many=True, read_only=True)
    confirmations = ConfirmationOutput(many=True, read_only=True)
    proof_images = ProofImageOutput(many=True, read_only=True)


def history_and_proofs(order: int) -> dict[str, Any]:
    """The fields of one order that only the office gets."""
    moves = OrderStatusChange.objects.filter(order=order).select_related("by")
    proofs = DeliveryConfirmation.objects.filter(order=order).select_related("by")
    return {
        "history": HistoryOutput(moves, many=True).data,
        "confirmations": ConfirmationOutput(proofs, many=True).data,
        "proof_images": ProofImageOutput(ProofImage.objects.filter(order=order), many=True).data,
    }


class MoveOutput(serializers.Serializer[OrderStatusChange]):
    """The status change that the request made. A repeated request with the same `ref` gets the same response."""

    # No ModelSerializer: it would inspect the model for each response, and this response is the most frequent one.
    id = serializers.IntegerField(source="order_id", read_only=True)
    order_number = serializers.CharField(source="order.order_number", read_only=True)
    status = serializers.CharField(source="to_status", read_only=True)
    version = serializers.IntegerField(read_only=True)
    at = serializers.DateTimeField(read_only=True)
    ref = serializers.CharField(read_only=True, allow_null=True)


class WarningOutput(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="A stable code for programs.")
    detail = serializers.CharField(help_text="A sentence for people, in the caller's language.")


Row = dict[str, Any]
# `at` of the last move if it was reported later (see `OrderStatusChange.sent_later`), otherwise null. It sorts by
# `version`, which has no index. To sort by the indexed `id`, the database might read the whole index backwards.
REPORTED_LATER = Subquery(
    OrderStatusChange.objects.filter(order=OuterRef("order"))
    .order_by("-version")
    .values_list(Case(When(recorded_at__gt=F("at") + MAX_REPORT_DELAY, then="at")))[:1]
)


def columns(orders: OrderQuerySet) -> Any:
    """The columns that `represent` needs, as a queryset that can still be paginated."""
    wanted = dict.fromkeys(column for field in order_fields.FIELDS for column in field.columns)
    return orders.select_related(None).values(*wanted)


def represent(rows: Iterable[Row], side: Side) -> list[Row]:
    """The rows with the fields that this side sees. One query adds the items and REPORTED_LATER to all rows."""
    page = list(rows)
    items, later = _items_and_late_moves([row["id"] for row in page])
    fields = order_fields.fields_seen_by(side)
    sources = [(field.name, field.columns[0] if field.columns else field.name) for field in fields]
    computed = [(field.name, field.compute) for field in fields if field.compute]
    for number, row in enumerate(page):
        row |= {"items": items[row["id"]], "reported_later": iso_text(later.get(row["id"]))}
        page[number] = {name: row[source] for name, source in sources}
        page[number] |= {name: compute(row, side) for name, compute in computed}
    return page


def _items_and_late_moves(orders: list[int]) -> tuple[dict[int, list[Row]], dict[int, datetime | None]]:
    """The items, and REPORTED_LATER, both by order id.

    If `columns` selected REPORTED_LATER, the database would compute it for the rows of all previous pages too.
    """
    found: dict[int, list[Row]] = defaultdict(list)
    later: dict[int, datetime | None] = {}
    order_items = OrderItem.objects.filter(order__in=orders)
    columns = ("product", "product__name", "quantity", "unit_price", "quantity_delivered")
    names = ItemOutput.Meta.fields
    for order, later[order], *values in order_items.values_list("order", REPORTED_LATER, *columns):
        found[order].append(dict(zip(names, values, strict=True)))
    return found, later
