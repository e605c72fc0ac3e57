"""A new order at the speed of a telephone call."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.pages import check_page
from accounts.roles import Side
from catalogue.models import Product
from orders.models import OrderItem, TimeSlot
from pages.page_data import clock, page_data
from web.limits import YEAR

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpRequest, HttpResponse


@require_safe
@login_required
def new_order(request: HttpRequest) -> HttpResponse:
    """For the office; all it does goes through the API."""
    check_page(request.user, "orders.add_order")
    today = timezone.localdate()
    products = Product.objects.filter(is_active=True).order_by("-cylinder_kg", "id")
    data = page_data(cast("User", request.user), Side.OFFICE) | clock()
    data |= {"products": list(products.values("id", "name", "price")), "usual": most_ordered()}
    told = {"data": data, "slots": TimeSlot.choices, "today": today, "last_day": today + YEAR}
    return render(request, "office/new_order.html", told)


def most_ordered() -> int | None:
    """The product that is asked for most lately: likely that of somebody who orders for the first time."""
    lately = OrderItem.objects.filter(product__is_active=True).order_by("-id").values_list("product", flat=True)
    return next((product for product, _count in Counter(lately[:200]).most_common(1)), None)
