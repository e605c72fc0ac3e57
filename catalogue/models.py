"""Products: cylinders of gas."""

from __future__ import annotations

import unicodedata

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from web.audit import Audit
from web.limits import MOST_MONEY
from web.tracked import AnnouncedQuerySet, Tracked

# Cylinders of one product.
MOST_STOCK = 1_000_000
# The right to set the stock to what was counted.
CORRECT_STOCK = "catalogue.correct_stock"


class ProductQuerySet(AnnouncedQuerySet["Product"]):
    to_change = to_add = to_remove = "catalogue.models.Product.save"


class Product(Tracked):
    """A cylinder of one size. `aliases` are the other names an office types for it, one a line. Never deleted."""

    code = models.CharField(_("code"), max_length=20, unique=True)
    name = models.CharField(_("name"), max_length=60)
    aliases = models.TextField(
        _("aliases"),
        blank=True,
        max_length=2000,
        help_text=_("Other names for this product in order sheets, one per line."),
    )
    cylinder_kg = models.PositiveSmallIntegerField(
        _("cylinder, kg"), validators=[MinValueValidator(1), MaxValueValidator(1_000)]
    )
    price = models.PositiveIntegerField(_("price, NT$"), validators=[MaxValueValidator(MOST_MONEY)])
    # May fall below zero: what was delivered was delivered, and the count was wrong.
    stock = models.IntegerField(
        _("stock"), default=0, validators=[MinValueValidator(-MOST_STOCK), MaxValueValidator(MOST_STOCK)]
    )
    low_stock_threshold = models.PositiveIntegerField(
        _("low stock below"), default=0, validators=[MaxValueValidator(MOST_STOCK)]
    )
    is_active = models.BooleanField(_("active"), default=True)

    objects = ProductQuerySet.as_manager()
    # Each delivery changes the stock; whoever corrects it is in the admin's log.
    audit = Audit(("stock",))

    class Meta:
        base_manager_name = "objects"
        verbose_name, verbose_name_plural = _("product"), _("products")
        ordering = ("cylinder_kg", "id")

    def __str__(self) -> str:
        return self.name

    def names(self) -> set[str]:
        """Every name it answers to, in the form `product_name_key` gives."""
        return {product_name_key(name) for name in (self.code, self.name, *self.aliases.splitlines()) if name.strip()}

    @classmethod
    def add_stock(cls, pk: int, cylinders: int) -> None:
        """Adds to (or, negative, takes from) the stock, the row locked: two deliveries at once both count.

        As all locks of this app, it lets others refer to the row meanwhile (`no_key`): an order of the same product is
        placed without waiting.
        """
        with transaction.atomic():
            product = cls.objects.select_for_update(no_key=True).get(pk=pk)
            product.stock += cylinders
            product.save(update_fields=["stock"])


def product_name_key(text: str) -> str:
    """A product's name for comparing: full width, case and spaces do not matter."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
