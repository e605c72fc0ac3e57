"""Order items (rows), and the lines from which callers create them."""

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
    """One product in an order.

    `unit_price` is fixed when the product is ordered. `quantity_delivered` is null until the delivery, and less than
    `quantity` if only a part was delivered.
    """

    MAX_QUANTITY = 999

    order = models.ForeignKey(Order, models.CASCADE, related_name="items", verbose_name=_("order"))
    product = models.ForeignKey(Product, models.PROTECT, related_name="+", verbose_name=_("product"))
    quantity = models.PositiveSmallIntegerField(
        _("quantity"), validators=[MinValueValidator(1), MaxValueValidator(MAX_QUANTITY)]
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


MAX_LINES = 20
MAX_AMOUNT = 2**31 - 1  # the limit of the column


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of a request: a product id and a number of cylinders."""

    product: int
    quantity: int


def new_items(lines: Sequence[OrderLine]) -> list[OrderItem]:
    """Unsaved items at today's prices, without an order. Raises Refusal, for example for an unknown product."""
    return _build_items(lines, {})


def replace_items(order: Order, lines: Sequence[OrderLine], change: Change) -> Change:
    """Replaces the items of an order whose lock the caller holds. Sets `amount_due`, but does not save the order.

    A product already in the order keeps its price. Returns a copy of `change` that describes the old and new items, for
    the save that follows. Raises Refusal before it writes.
    """
    present = {item.product_id: item for item in order.items.select_related("product")}
    # Described first, because `_build_items` changes the quantities of present items.
    items_before = describe(present.values())
    wanted = _build_items(lines, present)
    order.amount_due = amount(wanted)
    change = dataclasses.replace(change, items=describe(wanted), items_before=items_before)
    order.items.exclude(product__in={item.product_id for item in wanted}).delete()
    for item in wanted:
        item.order = order
        item.save()
    return change


def describe(items: Collection[OrderItem]) -> str:
    return ", ".join(map(str, items))


def amount(items: Collection[OrderItem]) -> int:
    """The total in NT$. Raises Refusal if it does not fit the column."""
    total = sum(item.quantity * item.unit_price for item in items)
    if total > MAX_AMOUNT:
        raise Refusal(
            "amount_too_large", _("The amount is too large. Please check the quantities and prices."), attr="items"
        )
    return total


def _build_items(lines: Sequence[OrderLine], present: dict[int, OrderItem]) -> list[OrderItem]:
    if not 1 <= len(lines) <= MAX_LINES:
        raise Refusal("invalid_items", _("An order must have 1 to %d items.") % MAX_LINES, attr="items")
    products = Product.objects.in_bulk([line.product for line in lines])
    items = []
    for index, line in enumerate(lines):
        product = products.get(line.product)
        item = present.get(line.product)
        if any(line.product == before.product for before in lines[:index]):
            detail = _("This product is listed more than once. Please put the whole quantity on one line.")
            raise Refusal("product_repeated", detail, attr=f"items.{index}.product")
        if product is None or not (product.is_active or item):
            detail = _("Product %(id)d does not exist or is no longer sold. Please choose another.")
            raise Refusal("unknown_product", detail % {"id": line.product}, attr=f"items.{index}.product")
        item = item or OrderItem(product=product, unit_price=product.price)
        item.quantity = line.quantity
        items.append(item)
    return items
