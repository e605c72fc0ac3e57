"""What is in an order: its items, and its lines as a caller names them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from catalogue.models import Product
from orders.models.order import Change, Order
from web.refusals import Refusal


class OrderItem(models.Model):
    """One line of an order. The price is frozen when ordered; `quantity_delivered` may be less (part refused)."""

    MOST = 999

    order = models.ForeignKey(Order, models.CASCADE, related_name="items", verbose_name=_("order"))
    product = models.ForeignKey(Product, models.PROTECT, related_name="+", verbose_name=_("product"))
    quantity = models.PositiveSmallIntegerField(
        _("quantity"), validators=[MinValueValidator(1), MaxValueValidator(MOST)]
    )
    unit_price = models.PositiveIntegerField(_("unit price, NT$"), blank=True)
    quantity_delivered = models.PositiveSmallIntegerField(_("delivered"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("item"), _("items")
        constraints = [
            models.UniqueConstraint(fields=["order", "product"], name="one_item_a_product"),
            models.CheckConstraint(condition=models.Q(quantity__gte=1), name="quantity_positive"),
        ]
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.product} × {self.quantity}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if getattr(self, "unit_price", None) is None:
            self.unit_price = self.product.price
        super().save(*args, **kwargs)


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


def replace_items(order: Order, lines: Sequence[Line], change: Change) -> Change:
    """Makes `lines` the items of an order that this transaction holds; sets, and does not save, its amount due.

    Returns `change`, with the items, for the save that follows. A product that was ordered before keeps its price.
    Raises Refusal before it writes.
    """
    present = {item.product_id: item for item in order.items.select_related("product")}
    wanted = _items(lines, present)
    order.amount_due = amount(wanted)
    change = dataclasses.replace(change, items=in_words(wanted), items_before=in_words(present.values()))
    order.items.exclude(product__in={item.product_id for item in wanted}).delete()
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
        raise Refusal("amount_too_large", _("The amount is too large. Please check the quantities."), attr="items")
    return total


def _items(lines: Sequence[Line], present: dict[int, OrderItem]) -> list[OrderItem]:
    if not 1 <= len(lines) <= MOST_LINES:
        raise Refusal("invalid_items", _("An order must have 1 to %d items.") % MOST_LINES, attr="items")
    products = Product.objects.in_bulk([line.product for line in lines])
    items = []
    for index, line in enumerate(lines):
        product = products.get(line.product)
        item = present.get(line.product)
        if any(line.product == before.product for before in lines[:index]):
            detail = _("This product is already in the order. Please put it all on one line.")
            raise Refusal("product_repeated", detail, attr=f"items.{index}.product")
        if product is None or not (product.is_active or item):
            detail = _("Product %(id)d does not exist or is no longer sold.")
            raise Refusal("unknown_product", detail % {"id": line.product}, attr=f"items.{index}.product")
        item = item or OrderItem(product=product, unit_price=product.price)
        item.quantity = line.quantity
        items.append(item)
    return items
