from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from accounts.roles import side_of
from orders.api import order_rows
from orders.api.order_output import OrderOutput
from orders.models import Order
from orders.states import Status
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_product, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", ["office", "driver", "customer"])
def test_a_row_is_what_the_serializer_shows(role: str) -> None:
    driver = make_driver()
    door: dict[str, Any] = {"latitude": 25.03, "longitude": 121.54, "phone": "02-2345-6789", "phone2": "0912-345-678"}
    customer = make_customer(user=make_user(), **door)
    mine: dict[str, Any] = {"driver": driver, "customer": customer}
    for status in Status:
        make_order(status, **mine, product=make_product(), quantity=2)
    make_order(customer=customer, delivery_address="台北市信義區松仁路1號", eta=timezone.now())
    make_order()
    half_an_hour_ago = timezone.now() - timedelta(minutes=30)
    for _ in range(2):
        late = make_order(Status.ASSIGNED, **mine, created_at=half_an_hour_ago - timedelta(minutes=30))
        late.transition_to(Status.DELIVERING, at=half_an_hour_ago)
    late.transition_to(Status.ARRIVING)
    user = {"office": make_office(), "driver": driver.user, "customer": customer.user}[role]
    held = side_of(user)  # type: ignore[arg-type]  # each of them has a user
    assert held is not None
    orders = Order.objects.all()
    told = OrderOutput(orders, many=True, context={"request": SimpleNamespace(user=user)}).data
    shown = order_rows.shown(order_rows.columns(orders), held)
    assert shown == list(told)
    reported_later = [row["reported_later"] for row in shown if row.get("reported_later")]
    assert reported_later == [timezone.localtime(half_an_hour_ago).isoformat()] * (role == "office")
