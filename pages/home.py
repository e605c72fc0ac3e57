"""Home: where everyone finds what is theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.contrib.auth.decorators import login_required
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from accounts import visibility
from accounts.roles import Side, side_of
from orders.models import Order
from pages.board import board

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpRequest, HttpResponse

MOST_ORDERS = 100


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The office finds its board, customers their open orders; drivers have a page of their own."""
    user = cast("User", request.user)
    role = side_of(user)
    if role is Side.OFFICE:
        return board(request, user)
    if role is Side.DRIVER:
        return redirect("driver")
    orders = visibility.visible(user, Order.objects.open()).order_by("scheduled_date", "stop_sequence", "id")
    return render(request, "home.html", {"role": role, "orders": orders[:MOST_ORDERS]})
