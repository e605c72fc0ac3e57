"""A small depot for whoever tries every call of the API: something of everything, and what it is called by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from accounts.api.tokens import Refresh
from notifications.models import NotificationHistory
from notifications.states import Status as Sms
from notifications.tests.factories import make_message
from orders.models import Order, ProofImageKind, proof
from orders.states import Status
from orders.tests.factories import (
    PASSWORD,
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_product,
    make_route,
    make_user,
)
from orders.tests.test_proof_images import encoded, sent
from realtime import log

SECRET = "the-secret-of-receipts"
# The provider's id of the message whose receipt is still to come.
AWAITED, PHONE = "#13", "+886912345678"


@dataclass(frozen=True)
class Depot:
    """`users` by role; `names`: what a field or parameter of this name may say and so finds something."""

    users: dict[str, User]
    names: dict[str, list[Any]]
    # By the first part of the path, what `{id}` may be.
    ids: dict[str, list[Any]]
    orders: dict[Status, Order]


def make_depot() -> Depot:
    """One order in each status, of one driver and one customer, with messages, an image and a log."""
    office, driver = make_office(), make_driver()
    customer, product = make_customer(user=make_user()), make_product(low_stock_threshold=5)
    route = make_route(driver=driver)
    shared: dict[str, Any] = {"customer": customer, "driver": driver, "product": product, "route": route}
    by_status = {status: make_order(status, quantity=2, **shared) for status in Status}
    orders = list(by_status.values())
    # One that may be sent again, and one whose receipt is still to come.
    make_message(Sms.FAILED, order=by_status[Status.CONFIRMED])
    make_message(
        Sms.SENT,
        order=orders[0],
        gateway="mitake",
        recipient=PHONE,
        provider_message_id=AWAITED,
        sent_at=timezone.now(),
    )
    delivered = Order.objects.filter(status=Status.DELIVERED)
    image = proof.keep(delivered, ProofImageKind.PHOTO, sent(encoded()), by=office)
    events = log.number()
    today = timezone.localdate()
    ids: dict[str, list[Any]] = {
        "orders": [order.pk for order in orders], "customers": [customer.pk], "drivers": [driver.pk],
        "products": [product.pk], "routes": [route.pk],
        "notifications": [str(pk) for pk in NotificationHistory.objects.values_list("pk", flat=True)[:4]],
    }  # fmt: skip
    names = {
        "customer": ids["customers"], "driver": ids["drivers"], "product": ids["products"], "route": ids["routes"],
        "order": ids["orders"], "ids": ids["orders"], "image": [image.pk], "user": [make_user().pk, office.pk],
        "version": [1, 2, 3], "page": [1], "since": list(range(events + 1)), "epoch": [log.head().epoch],
        "channel": ["orders", "staff", "system", f"driver:{driver.pk}", f"order:{orders[0].pk}"],
        "scheduled_date": [str(today + timedelta(days=days)) for days in (0, 1, 400)],
        "from": [str(today - timedelta(days=7))], "to": [str(today)], "phone": ["0912-345-678", "02-2345-6789"],
        "username": [office.username], "password": [PASSWORD], "q": [orders[0].order_number, "王", "0912"],
        "refresh": [str(Refresh.for_user(office)) for _ in range(4)], "ref": ["one", "two"],
        "gateway": ["mitake", "every8d", "http"], "secret": [SECRET], "type": ["custom.x", "system.message"],
    }  # fmt: skip
    users = {"office": office, "driver": driver.user, "customer": customer.user}
    return Depot(users, names, ids, by_status)  # type: ignore[arg-type]
