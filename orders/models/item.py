"""What is in an order."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from catalogue.models import Product
from orders.models.order import Order


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
