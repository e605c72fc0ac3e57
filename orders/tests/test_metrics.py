from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orders import metrics
from orders.states import Status
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db


def test_open_orders_and_those_of_late_and_to_come_by_status_in_one_query(django_assert_num_queries: Any) -> None:
    today = timezone.localdate()
    make_order()
    make_order(scheduled_date=today - timedelta(days=7))
    make_order(Status.CONFIRMED, scheduled_date=today - timedelta(days=99))
    make_order(Status.DELIVERED)
    make_order(Status.DELIVERED, scheduled_date=today - timedelta(days=8))
    with django_assert_num_queries(1):
        (family,) = metrics.rows()
    found = {sample.labels["status"]: sample.value for sample in family.samples}
    assert found.keys() == set(Status)
    assert {name: count for name, count in found.items() if count} == {"pending": 2, "confirmed": 1, "delivered": 1}
