"""The lines of an order, as a caller names them: product ids and quantities."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from catalogue.models import Product
from orders.models import Change, Order, OrderItem
from web.refusals import Refusal

MOST_LINES = 20
MOST_AMOUNT = 2**31 - 1  # what the column holds


@dataclass(frozen=True, slots=True)
class Line:
    """One line: so many cylinders of one product."""

    product: int
    quantity: int


def new_items(lines: Sequence[Line]) -> list[OrderItem]:
    """Items at today's prices, not saved and without their order. Raises Refusal."""
    return _items(lines, {})


def replace(order: Order, lines: Sequence[Line], change: Change) -> Change:
    """Makes `lines` the items of an order that this transaction holds; sets, and does not save, its amount due.

    Returns `change`, with the items, for the save that follows. A product that was ordered before keeps its price.
    Raises Refusal before it writes.
    """
    present = {item.product_id: item for item in order.items.select_related("product")}
    wanted = _items(lines, present)
    order.amount_due = amount(wanted)
    change = dataclasses.replace(change, items=in_words(wanted), items_before=in_words(present.values()))
    named = {item.product_id for item in wanted}
    order.items.exclude(product__in=named).delete()
    for item in wanted:
        item.order = order
        item.save()
    return change


def in_words(items: Collection[OrderItem]) -> str:
    return ", ".join(map(str, items))


def amount(items: Collection[OrderItem]) -> int:
    """NT$. Raises Refusal where it is more than can be stored."""
    total = sum(item.quantity * item.unit_price for item in items)
    if total > MOST_AMOUNT:
        raise Refusal("amount_too_large", _("The amount is too large; please check the quantities."), attr="items")
    return total


def _items(lines: Sequence[Line], present: dict[int, OrderItem]) -> list[OrderItem]:
    _check_count(lines)
    products = Product.objects.in_bulk([line.product for line in lines])
    items = []
    for index, line in enumerate(lines):
        product = products.get(line.product)
        item = present.get(line.product)
        if product is None or not (product.is_active or item):
            detail = _("There is no product %(id)d, or it is no longer sold.") % {"id": line.product}
            raise Refusal("unknown_product", detail, attr=f"items.{index}.product")
        item = item or OrderItem(product=product, unit_price=product.price)
        item.quantity = line.quantity
        items.append(item)
    return items


def _check_count(lines: Sequence[Line]) -> None:
    if not 1 <= len(lines) <= MOST_LINES:
        raise Refusal("invalid_items", _("An order has 1 to %d items.") % MOST_LINES, attr="items")
    seen: set[int] = set()
    for index, line in enumerate(lines):
        if line.product in seen:
            detail = _("This product is already in the order; put all of it on one line.")
            raise Refusal("product_repeated", detail, attr=f"items.{index}.product")
        seen.add(line.product)
