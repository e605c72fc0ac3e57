"""The home page, and the office's pages: the dispatch board, and the form for an order by telephone."""

from __future__ import annotations

from collections import Counter
from typing import cast

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import visibility
from accounts.roles import Side, check_page, side_of
from catalogue.models import Product
from orders.models import Order, OrderItem, TimeSlot
from orders.states import OPEN, OrderStatus
from pages.page_data import clock, page_data
from web.limits import YEAR

# Failed orders wait for the office like new ones, so their columns are next to each other.
COLUMNS = (
    OrderStatus.PENDING, OrderStatus.FAILED, OrderStatus.CONFIRMED, OrderStatus.ASSIGNED, OrderStatus.DELIVERING,
    OrderStatus.ARRIVING,
    OrderStatus.DELIVERED, OrderStatus.CANCELLED,
)  # fmt: skip
# How many open orders the home page shows to a customer.
MAX_ORDERS = 100


def board(request: HttpRequest, user: User) -> HttpResponse:
    """The dispatch board. The caller checks that the user is staff."""
    context = {
        "data": page_data(user, Side.OFFICE) | clock(),
        "columns": [{"status": status, "is_open": status in OPEN} for status in COLUMNS],
        "slots": TimeSlot.choices,
    }
    return render(request, "office/board.html", context)


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Shows the office the board, customers their open orders, and users without a role how to get one.

    Redirects drivers to their page.
    """
    user = cast("User", request.user)
    role = side_of(user)
    if role is Side.OFFICE:
        return board(request, user)
    if role is Side.DRIVER:
        return redirect("driver")
    orders = visibility.visible(user, Order.objects.open()).order_by("scheduled_date", "stop_sequence", "id")
    return render(request, "home.html", {"role": role, "orders": orders[:MAX_ORDERS]})


@require_safe
@login_required
def new_order(request: HttpRequest) -> HttpResponse:
    """The form for a new order. Its script sends everything through the API."""
    check_page(request.user, "orders.add_order")
    today = timezone.localdate()
    products = Product.objects.filter(is_active=True).order_by("-cylinder_kg", "id")
    data = page_data(cast("User", request.user), Side.OFFICE) | clock()
    data |= {"products": list(products.values("id", "name", "price")), "usual": most_ordered()}
    context = {"data": data, "slots": TimeSlot.choices, "today": today, "last_day": today + YEAR}
    return render(request, "office/new_order.html", context)


def most_ordered() -> int | None:
    """The id of the most frequent product among the last 200 order items with active products; None without items.

    The form suggests it for a customer's first order.
    """
    recent = OrderItem.objects.filter(product__is_active=True).order_by("-id").values_list("product", flat=True)
    return next((product for product, _count in Counter(recent[:200]).most_common(1)), None)
