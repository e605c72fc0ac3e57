from __future__ import annotations

import re
from collections.abc import Callable
from pydoc import locate
from typing import Any

import pytest
from django.db.models import ProtectedError

from catalogue.models import Product
from customers.models import Customer
from notifications.models import NotificationHistory
from notifications.tests.factories import make_message
from orders.models import Order
from orders.tests.factories import make_customer, make_order
from realtime.models import Outbox

pytestmark = pytest.mark.django_db
Call = Callable[[Any], object]
CALLS: dict[str, Call] = {
    "update": lambda rows: rows.update(pk=1),
    "bulk_update": lambda rows: rows.bulk_update([], ["pk"]),
    "bulk_create": lambda rows: rows.bulk_create([]),
    "delete": lambda rows: rows.delete(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("model", [Order, Customer, Product, NotificationHistory])
def test_what_tells_nobody_is_refused_by_the_name_of_a_function_that_tells(model: Any, call: Call) -> None:
    with pytest.raises(TypeError) as refused:
        call(model.objects.filter(pk__gt=0).order_by("pk"))
    (named,) = re.findall(r"Call ([\w.]+)\(\)", str(refused.value))
    assert callable(locate(named))


@pytest.mark.parametrize(
    "call",
    [
        lambda customer, order: customer.orders.update(notes="後門"),
        lambda customer, order: customer.orders.filter(notes="").delete(),
        lambda customer, order: customer.orders.bulk_create([order]),
        lambda customer, order: customer.orders.add(order),
        lambda customer, order: customer.orders.set([order]),
    ],
    ids=["update", "delete", "bulk_create", "add", "set"],
)
def test_the_rows_of_another_are_refused_too(call: Callable[[Customer, Order], object]) -> None:
    order, customer = make_order(), make_customer()
    with pytest.raises(TypeError):
        call(customer, order)
    order.refresh_from_db()
    assert (order.customer_id == customer.pk, order.notes) == (False, "")


def test_the_door_keeps_to_the_rows_it_stands_behind_and_tells_nobody() -> None:
    first, second = make_order(), make_order()
    told = Outbox.objects.count()
    first.customer.orders.unannounced().update(notes="後門")
    assert set(Order.objects.values_list("pk", "notes")) == {(first.pk, "後門"), (second.pk, "")}
    NotificationHistory.objects.unannounced().bulk_create([NotificationHistory(customer=first.customer)])
    NotificationHistory.objects.filter(order=None).unannounced().delete()
    assert (NotificationHistory.objects.count(), Outbox.objects.count()) == (0, told)


def test_what_django_deletes_by_itself_is_deleted_or_protected() -> None:
    message = make_message("sent")
    with pytest.raises(ProtectedError):
        message.customer.delete()
    message.trail.create(status="sent")
    message.delete()
    assert not NotificationHistory.objects.exists()
