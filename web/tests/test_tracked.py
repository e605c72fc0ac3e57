from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pydoc import locate
from typing import Any

import pytest
from django.db import models
from django.db.models import ProtectedError
from django.db.models.signals import post_save

from catalogue.models import Product
from customers.models import Customer
from dispatch.models import Route
from notifications.models import NotificationHistory
from notifications.tests.factories import make_message
from orders.models import Order
from orders.tests.factories import TODAY, make_customer, make_driver, make_order, make_product, make_route
from realtime.models import Outbox

pytestmark = pytest.mark.django_db


def order_with_notes() -> Order:
    """An order loaded from the database, with unsaved notes."""
    order = Order.objects.get(pk=make_order().pk)
    order.notes = "後門進"
    return order


@contextmanager
def connect_receiver(sender: type[models.Model], receiver: Callable[..., None]) -> Iterator[None]:
    post_save.connect(receiver, sender=sender)
    try:
        yield
    finally:
        post_save.disconnect(receiver, sender=sender)


def fail(**kwargs: Any) -> None:
    raise ConnectionError


def new_order() -> Order:
    return Order(customer=make_customer(), scheduled_date=TODAY)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "make",
    [
        new_order, lambda: Customer(name="王"), lambda: Route(date=TODAY, name="大安"),
        lambda: Product(code="G20", name="20kg", cylinder_kg=20, price=800),
    ],
    ids=["order", "customer", "route", "product"],
)  # fmt: skip
def test_failing_receiver_rolls_back_a_new_row(make: Callable[[], models.Model]) -> None:
    row = make()
    with connect_receiver(type(row), fail), pytest.raises(ConnectionError):
        row.save()
    assert not type(row)._default_manager.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("make", "column"),
    [(make_order, "notes"), (make_customer, "notes"), (make_product, "name"), (make_route, "name")],
    ids=["order", "customer", "product", "route"],
)
def test_failing_receiver_rolls_back_a_change(make: Callable[[], models.Model], column: str) -> None:
    row = make()
    before = getattr(row, column)
    setattr(row, column, "新")
    with connect_receiver(type(row), fail), pytest.raises(ConnectionError):
        row.save()
    row.refresh_from_db()
    assert getattr(row, column) == before


def test_refresh_of_one_column_does_not_discard_other_unsaved_values() -> None:
    order = order_with_notes()
    order.refresh_from_db(fields=["priority"])
    order.save()
    assert Order.objects.get().notes == "後門進"


def test_refresh_of_a_column_discards_its_unsaved_value() -> None:
    order = order_with_notes()
    order.refresh_from_db(fields=["notes"])
    assert order.unsaved() == {}


def test_refresh_of_a_foreign_key_accepts_the_field_name() -> None:
    order = Order.objects.get(pk=make_order().pk)
    theirs = Order.objects.get(pk=order.pk)
    theirs.customer = make_customer()
    theirs.save()
    order.refresh_from_db(fields=["customer"])
    assert (order.customer, order.unsaved()) == (theirs.customer, {})


def test_loading_a_deferred_column_does_not_discard_unsaved_values() -> None:
    order = Order.objects.defer("delivery_address").get(pk=make_order().pk)
    order.notes = "後門進"
    order.save()  # reads the address
    assert Order.objects.get().notes == "後門進"


def test_deferred_column_is_tracked_once_it_was_read() -> None:
    customer = Customer.objects.only("name").get(pk=make_customer().pk)
    read, customer.notes = customer.notes, "後門進"
    assert customer.unsaved() == {"notes": read}


def test_columns_not_in_update_fields_are_saved_by_the_next_save() -> None:
    order = order_with_notes()
    order.priority = "urgent"
    order.save(update_fields=["priority"])
    order.save()
    found = Order.objects.get()
    assert (found.notes, found.priority) == ("後門進", "urgent")


def test_before_has_only_the_written_columns() -> None:
    order = order_with_notes()
    order.status, order.priority = "confirmed", "urgent"
    columns: list[set[str]] = []

    def record(instance: Order, **kwargs: Any) -> None:
        columns.append(set(instance.before))

    with connect_receiver(Order, record):
        order.save(update_fields=["priority"])
    assert columns == [{"priority", "version", "updated_at"}]
    assert Order.objects.get().status == "pending"


@pytest.mark.parametrize("named", ["driver", "driver_id"])
def test_before_names_a_foreign_key_by_its_column(named: str) -> None:
    route = Route.objects.get(pk=make_route().pk)
    route.driver = make_driver()
    values: list[object] = []

    def record(instance: Route, **kwargs: Any) -> None:
        values.append(instance.before)

    with connect_receiver(Route, record):
        route.save(update_fields=[named])
    assert (values, route.unsaved()) == ([{"driver_id": None}], {})


Call = Callable[[Any], object]
CALLS: dict[str, Call] = {
    "update": lambda rows: rows.update(pk=1),
    "bulk_update": lambda rows: rows.bulk_update([], ["pk"]),
    "bulk_create": lambda rows: rows.bulk_create([]),
    "delete": lambda rows: rows.delete(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("model", [Order, Customer, Product, NotificationHistory])
def test_bulk_change_is_refused_and_names_the_function_to_call(model: Any, call: Call) -> None:
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
def test_bulk_change_through_a_related_manager_is_refused(call: Callable[[Customer, Order], object]) -> None:
    order, customer = make_order(), make_customer()
    with pytest.raises(TypeError):
        call(customer, order)
    order.refresh_from_db()
    assert (order.customer_id == customer.pk, order.notes) == (False, "")


def test_unannounced_changes_only_the_filtered_rows_and_announces_nothing() -> None:
    first, second = make_order(), make_order()
    announced = Outbox.objects.count()
    first.customer.orders.unannounced().update(notes="後門")
    assert set(Order.objects.values_list("pk", "notes")) == {(first.pk, "後門"), (second.pk, "")}
    NotificationHistory.objects.unannounced().bulk_create([NotificationHistory(customer=first.customer)])
    NotificationHistory.objects.filter(order=None).unannounced().delete()
    assert (NotificationHistory.objects.count(), Outbox.objects.count()) == (0, announced)


def test_customer_with_messages_is_protected_and_a_message_is_deleted_with_its_trail() -> None:
    message = make_message("sent")
    with pytest.raises(ProtectedError):
        message.customer.delete()
    message.trail.create(status="sent")
    message.delete()
    assert not NotificationHistory.objects.exists()
