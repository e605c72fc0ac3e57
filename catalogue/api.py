"""REST resource `products/`."""

from __future__ import annotations

from accounts.api.by_role import FieldsByRole, Filters, RowsByRole
from accounts.roles import Side, check_right
from catalogue.models import CORRECT_STOCK, Product
from web.api.fields import StrictModelSerializer
from web.api.lists import TrueOrFalseFilter, ordering

FIELDS = ("id", "code", "name", "cylinder_kg", "price", "aliases", "stock", "low_stock_threshold", "is_active")
# The fields that drivers and customers see.
PUBLIC_FIELDS = frozenset({"id", "code", "name", "cylinder_kg", "price"})


class ProductSerializer(FieldsByRole, StrictModelSerializer[Product]):
    """A cylinder of one size. Prices are in NT$. A new price does not change existing orders."""

    seen_by = {Side.OFFICE: frozenset(FIELDS), Side.DRIVER: PUBLIC_FIELDS, Side.CUSTOMER: PUBLIC_FIELDS}

    class Meta:
        model = Product
        fields = FIELDS

    def validate_stock(self, stock: int) -> int:
        """Raises a Refusal if the caller sets the stock of an existing product without CORRECT_STOCK.

        Deliveries keep the stock up to date, so only a count needs to set it.
        """
        if self.instance is not None:
            check_right(self.context["request"].user, CORRECT_STOCK, "stock")
        return stock


class ProductFilters(Filters):
    harmless = frozenset({"is_active"})
    is_active = TrueOrFalseFilter()
    ordering = ordering("cylinder_kg", "name", "price", "stock", "id")


class Products(RowsByRole[Product]):
    """The office may read and change products; drivers and customers may read active ones."""

    queryset = Product.objects.all()
    serializer_class = ProductSerializer
    filterset_class = ProductFilters
