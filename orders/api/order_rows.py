"""Rows of a list of orders as `OrderOutput` shows them, made of columns and not of objects: at a third of its cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Case, F, OuterRef, Subquery, When
from django.utils import timezone

from accounts.roles import Side
from customers import phones
from orders.api.order_output import ItemOutput, OrderOutput
from orders.models import OrderItem, OrderStatusChange
from orders.models.queries import OrderQuerySet
from orders.models.status_change import SENT_AT_ONCE
from orders.states import OPEN

Row = dict[str, Any]
# Of the order itself; the rest is joined, or follows from it.
JOINED = {
    "customer_name": "customer__name", "customer_phone": "customer__phone", "customer_phone2": "customer__phone2",
    "driver_name": "driver__name", "latitude": "customer__latitude", "longitude": "customer__longitude",
}  # fmt: skip
HOME = "customer__address"
OWN = [name for name in OrderOutput.Meta.fields if name not in JOINED and name not in ("items", "reported_later")]
MOMENTS = ("eta", "reported_later", "created_at", "updated_at")
PHONES = ("customer_phone", "customer_phone2")
# `OrderStatusChange.sent_later` of the last one. By version, of which there is no index to walk from its end.
REPORTED_LATER = Subquery(
    OrderStatusChange.objects.filter(order=OuterRef("order"))
    .order_by("-version")
    .values_list(Case(When(recorded_at__gt=F("at") + SENT_AT_ONCE, then="at")))[:1]
)


def columns(orders: OrderQuerySet) -> Any:
    """What `shown` needs of each, still to be cut into pages."""
    return orders.select_related(None).values(*OWN, *JOINED.values(), HOME)


def shown(rows: Iterable[Row], role: Side) -> list[Row]:
    """The page as this role sees it; its items, and which moves were reported later, in one query."""
    page = list(rows)
    items, later = _items([row["id"] for row in page])
    names = [name for name in OrderOutput.Meta.fields if name in OrderOutput.seen_by[role]]
    for row in page:
        row |= {"items": items[row["id"]], "reported_later": later.get(row["id"])}
        _finish(row, role)
    return [{name: row[name] for name in names} for row in page]


def _items(orders: list[int]) -> tuple[dict[int, list[Row]], dict[int, datetime | None]]:
    """By order. As a column of the page, what was reported later would be looked up for the pages before it too."""
    found: dict[int, list[Row]] = defaultdict(list)
    later: dict[int, datetime | None] = {}
    held = OrderItem.objects.filter(order__in=orders)
    columns = ("product", "product__name", "quantity", "unit_price", "quantity_delivered")
    names = ItemOutput.Meta.fields
    for order, later[order], *values in held.values_list("order", REPORTED_LATER, *columns):
        found[order].append(dict(zip(names, values, strict=True)))
    return found, later


def _finish(row: Row, role: Side) -> None:
    """The door is known where the order goes to the customer's own address; only its driver reads whole numbers."""
    row |= {name: row[column] for name, column in JOINED.items()}
    if row["delivery_address"] != row[HOME] or None in (row["latitude"], row["longitude"]):
        row["latitude"] = row["longitude"] = None
    if role is not Side.DRIVER or row["status"] not in OPEN:
        row |= {name: phones.mask(row[name]) for name in PHONES}
    row |= {name: _moment(row[name]) for name in MOMENTS}
    row["scheduled_date"] = row["scheduled_date"].isoformat()


def _moment(value: datetime | None) -> str | None:
    return timezone.localtime(value).isoformat() if value else None
