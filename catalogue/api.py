"""`products/`."""

from __future__ import annotations

from accounts.api.by_role import FieldsByRole, Filters, RowsByRole
from accounts.roles import Side, check_right
from catalogue.models import CORRECT_STOCK, Product
from web.api.fields import StrictModelSerializer
from web.api.lists import TrueOrFalseFilter, ordering

FIELDS = ("id", "code", "name", "cylinder_kg", "price", "aliases", "stock", "low_stock_threshold", "is_active")
# What drivers and customers see: what it is and what it costs.
OFFER = frozenset({"id", "code", "name", "cylinder_kg", "price"})


class ProductSerializer(FieldsByRole, StrictModelSerializer[Product]):
    """A cylinder of one size. Prices in NT$; orders placed before keep theirs."""

    seen_by = {Side.OFFICE: frozenset(FIELDS), Side.DRIVER: OFFER, Side.CUSTOMER: OFFER}

    class Meta:
        model = Product
        fields = FIELDS

    def validate_stock(self, stock: int) -> int:
        """Of a product that there is, the stock is corrected: deliveries change it by themselves."""
        if self.instance is not None:
            check_right(self.context["request"].user, CORRECT_STOCK, "stock")
        return stock


class ProductFilters(Filters):
    harmless = frozenset({"is_active"})
    is_active = TrueOrFalseFilter()
    ordering = ordering("cylinder_kg", "name", "price", "stock", "id")


class Products(RowsByRole[Product]):
    """For the office. Drivers and customers may read what is sold now."""

    queryset = Product.objects.all()
    serializer_class = ProductSerializer
    filterset_class = ProductFilters
