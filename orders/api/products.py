"""`products/`."""

from __future__ import annotations

from django.db.models import QuerySet

from accounts.api.by_role import ByRole
from accounts.api.permissions import OfficeOrAnyReader
from accounts.roles import Role
from orders import permissions
from orders.api.order_filters import ProductFilters
from orders.models import Product
from web.api.fields import MOST_MONEY, StrictModelSerializer
from web.api.resources import Resource

MOST_STOCK = 1_000_000


FIELDS = ("id", "code", "name", "cylinder_kg", "price", "aliases", "stock", "low_stock_threshold", "is_active")
# What drivers and customers see: what it is and what it costs.
OFFER = frozenset({"id", "code", "name", "cylinder_kg", "price"})


class ProductSerializer(ByRole, StrictModelSerializer[Product]):
    """A cylinder of one size. Prices in NT$; orders placed before keep theirs."""

    seen_by = {Role.OFFICE: frozenset(FIELDS), Role.DRIVER: OFFER, Role.CUSTOMER: OFFER}

    class Meta:
        model = Product
        fields = FIELDS
        extra_kwargs = {
            "cylinder_kg": {"min_value": 1, "max_value": 1000},
            "price": {"min_value": 0, "max_value": MOST_MONEY},
            "aliases": {"max_length": 2000},
            "stock": {"min_value": -MOST_STOCK, "max_value": MOST_STOCK},
            "low_stock_threshold": {"min_value": 0, "max_value": MOST_STOCK},
        }


class Products(Resource[Product]):
    """The office; drivers and customers read what is sold now."""

    queryset = Product.objects.all()
    serializer_class = ProductSerializer
    permission_classes = (OfficeOrAnyReader,)
    filterset_class = ProductFilters

    def get_queryset(self) -> QuerySet[Product]:
        return permissions.visible_products(self.request.user, super().get_queryset())
