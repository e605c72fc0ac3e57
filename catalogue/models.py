"""Products: gas cylinders with price and stock."""

from __future__ import annotations

import unicodedata

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from web.audit import Audit
from web.limits import MAX_MONEY
from web.tracked import AnnouncedQuerySet, Tracked

# The office can enter a stock from minus this to this, in cylinders. Deliveries do not check the limit.
MAX_STOCK = 1_000_000
# The permission to correct the stock, for example after a count.
CORRECT_STOCK = "catalogue.correct_stock"


class ProductQuerySet(AnnouncedQuerySet["Product"]):
    to_change = to_add = to_remove = "catalogue.models.Product.save"


class Product(Tracked):
    """A cylinder of one size. `aliases` are other names used in order sheets, one per line. Never deleted."""

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
    price = models.PositiveIntegerField(_("price, NT$"), validators=[MaxValueValidator(MAX_MONEY)])
    # May be negative: a delivery counts even if the recorded stock was too low.
    stock = models.IntegerField(
        _("stock"), default=0, validators=[MinValueValidator(-MAX_STOCK), MaxValueValidator(MAX_STOCK)]
    )
    low_stock_threshold = models.PositiveIntegerField(
        _("low stock below"), default=0, validators=[MaxValueValidator(MAX_STOCK)]
    )
    is_active = models.BooleanField(_("active"), default=True)

    objects = ProductQuerySet.as_manager()
    # The audit log leaves out the stock, which every delivery changes. The admin's log records corrections.
    audit = Audit(("stock",))

    class Meta:
        base_manager_name = "objects"
        verbose_name, verbose_name_plural = _("product"), _("products")
        ordering = ("cylinder_kg", "id")

    def __str__(self) -> str:
        return self.name

    def names(self) -> set[str]:
        """The `product_name_key` of the code, of the name and of each alias."""
        return {product_name_key(name) for name in (self.code, self.name, *self.aliases.splitlines()) if name.strip()}

    @classmethod
    def add_stock(cls, pk: int, cylinders: int) -> None:
        """Adds `cylinders` (may be negative) to the stock. Locks the row, so that concurrent deliveries both count.

        The lock is `no_key`: meanwhile others can place orders for the product without waiting.
        """
        with transaction.atomic():
            product = cls.objects.select_for_update(no_key=True).get(pk=pk)
            product.stock += cylinders
            product.save(update_fields=["stock"])


def product_name_key(text: str) -> str:
    """A key for comparing products' names. It ignores full width, case and spaces."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
