"""The tracking page behind the link in an SMS. It needs no account, so it shows only what anyone may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dispatch.models import Driver, DriverLocation
from orders import estimates, permissions, states
from orders.estimates import Minutes
from orders.models import Order, OrderItem, OrderStatusChange
from orders.states import ON_THE_ROAD, OrderStatus
from pages.page_data import clock, map_settings, statuses
from web import log_position, throttling

# These keep the link from search engines, from sites that the page links to, and from later users of a shared computer.
HEADERS = {
    "X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "same-origin", "Cache-Control": "no-store, private",
}  # fmt: skip
STEPS = (OrderStatus.CONFIRMED, OrderStatus.DELIVERING, OrderStatus.ARRIVING, OrderStatus.DELIVERED)
# The number of STEPS that an order in a status has reached.
REACHED = {
    OrderStatus.CONFIRMED: 1, OrderStatus.ASSIGNED: 1, OrderStatus.DELIVERING: 2, OrderStatus.ARRIVING: 3,
    OrderStatus.DELIVERED: 4,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Approach:
    """When the driver arrives at this stop: `eta` is the announced time, `minutes` the estimate. Both may be None."""

    eta: datetime | None
    minutes: Minutes | None


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One line of the receipt: the quantity (delivered, or ordered if the report has none) and its amount in NT$."""

    name: str
    quantity: int
    amount: int

    @classmethod
    def of(cls, item: OrderItem) -> ReceiptLine:
        quantity = item.quantity if item.quantity_delivered is None else item.quantity_delivered
        return cls(item.product.name, quantity, quantity * item.unit_price)


@require_safe
def track(request: HttpRequest, token: str) -> HttpResponse:
    """Shows the order of this link, in the customer's language unless the browser has a language cookie.

    Responds with the same 404 to unknown and to expired links, so that strangers cannot tell them apart.
    """
    if (wait := throttling.wait_for_request("track", request)) is not None:
        problem = _("Too many requests from your network. Please wait a minute and try again.")
        refusal = _answer(request, "customer/no_link.html", {"problem": problem}, 429)
        refusal.headers["Retry-After"] = str(wait)
        return refusal
    since = log_position.position()
    orders = Order.objects.select_related("customer", "driver").prefetch_related("items__product")
    order = permissions.linked_orders(token, orders).first()
    if order is None:
        problem = _("This link has expired or is incomplete. Links expire one day after the delivery or cancellation.")
        return _answer(request, "customer/no_link.html", {"problem": problem}, 404)
    if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
        translation.activate(order.customer.language)
    return _answer(request, "customer/track.html", track_context(order) | {"since": since, "token": token})


def _answer(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    answer = render(request, template, context, status=status)
    for name, value in HEADERS.items():
        answer.headers[name] = value
    return answer


def track_context(order: Order) -> dict[str, Any]:
    """The template's context. The page must not show the order's phone numbers, or its address beyond the district."""
    status = OrderStatus(order.status)
    reached = REACHED.get(status, 0)
    labels = {
        OrderStatus.CONFIRMED: _("Confirmed"), OrderStatus.DELIVERING: _("On the way"),
        OrderStatus.ARRIVING: _("Nearly there"), OrderStatus.DELIVERED: _("Delivered"),
    }  # fmt: skip
    steps = [{"label": labels[step], "done": place <= reached} for place, step in enumerate(STEPS, 1)]
    items = [ReceiptLine.of(item) for item in order.items.all()]
    has_driver = order.driver is not None and status in {OrderStatus.ASSIGNED, *ON_THE_ROAD}
    return {
        "data": clock() | {"map": map_settings(), "statuses": statuses(), "door": neighbourhood(order)},
        "order": order, "status": status, "sentence": states.SENTENCES[status],
        "steps": steps if reached else [], "driver": given_name(order.driver) if has_driver else "",
        "approach": approach(order, status), "delivered_at": delivered_at(order) if reached == len(STEPS) else None,
        "items": items, "total": sum(item.amount for item in items),
    }  # fmt: skip


def given_name(driver: Driver | None) -> str:
    """The driver's given name, which the page shows instead of the full name: 志明 for 陳志明, John for John Smith.

    "" without a driver.
    """
    name = driver.name.strip() if driver else ""
    if " " in name or name.isascii():
        return name.split(" ")[0]
    # Chinese given names have two characters, or one if the whole name has two.
    return name[-2:] if len(name) > 2 else name[1:] or name


def approach(order: Order, status: OrderStatus) -> Approach | None:
    """When the driver arrives; None unless the driver is on the road with this order as the next stop."""
    driver = order.driver_id
    if status not in ON_THE_ROAD or driver is None or Order.objects.next_stops([driver]).get(driver) != order.pk:
        return None
    location = DriverLocation.objects.recent().filter(driver=driver).first()
    now = timezone.now()
    # An announced time that has passed is no longer useful.
    eta = order.eta if order.eta and order.eta > now else None
    return Approach(eta, estimates.estimate_arrival(order, location, now))


def neighbourhood(order: Order) -> dict[str, float] | None:
    """The destination, rounded to about 100 m to hide the exact address; None without coordinates."""
    place = estimates.order_coordinates(order)
    return {"latitude": round(place[0], 3), "longitude": round(place[1], 3)} if place else None


def delivered_at(order: Order) -> datetime | None:
    moves = OrderStatusChange.objects.filter(order=order, to_status=OrderStatus.DELIVERED)
    return moves.order_by("-id").values_list("at", flat=True).first()
