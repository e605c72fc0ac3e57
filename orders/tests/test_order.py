from __future__ import annotations

import threading
from unittest import mock

import pytest
from django.db import connection, transaction

from orders import numbers
from orders.models import Order, OrderStatusChange
from orders.models.order import VersionConflict
from orders.states import Status
from orders.tests.factories import make_customer, make_office, make_order, make_product
from web.refusals import Refusal

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_save_writes_changed_columns_only() -> None:
    order = make_order()
    mine, theirs = Order.objects.get(pk=order.pk), Order.objects.get(pk=order.pk)
    theirs.notes = "後門進"
    theirs.save()
    mine.notes = "前門進"
    with pytest.raises(VersionConflict) as refused, transaction.atomic():
        mine.save()
    assert refused.value.version == order.version + 1
    assert Order.objects.get(pk=order.pk).notes == "後門進"


def test_save_without_a_change_writes_nothing(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    order = Order.objects.get(pk=make_order().pk)
    with django_assert_num_queries(0):
        order.save()
    assert order.before == {}


def test_a_conflict_leaves_the_object_as_it_was() -> None:
    order = make_order()
    Order.objects.get(pk=order.pk).transition_to(Status.CONFIRMED)
    order.notes = "late"
    with pytest.raises(VersionConflict), transaction.atomic():
        order.save()
    assert order.version == 1
    assert order.unsaved().keys() == {"notes"}


def test_a_row_that_is_gone_is_refused() -> None:
    order = make_order()
    theirs = Order.objects.get(pk=order.pk)
    theirs.items.all().delete()
    theirs.delete()
    order.notes = "late"
    with pytest.raises(Refusal) as refused, transaction.atomic():
        order.save()
    assert (refused.value.code, refused.value.status) == ("not_found", 404)


@pytest.mark.parametrize("named", [None, ["customer"], ["customer_id"]])
def test_the_link_of_the_former_customer_ends(named: list[str] | None) -> None:
    order = make_order()
    former, order.customer = order.tracking_token, make_customer()
    order.save(update_fields=named)
    assert Order.objects.get().tracking_token == order.tracking_token != former


def test_the_link_survives_other_changes() -> None:
    order = make_order()
    former, order.notes, order.customer = order.tracking_token, "後門進", make_customer()
    order.save(update_fields=["notes"])
    assert Order.objects.get().tracking_token == order.tracking_token == former


def test_a_new_order_has_its_first_line_of_history() -> None:
    order = make_order()
    (row,) = order.history.all()
    assert (row.from_status, row.to_status, row.version) == ("", "pending", 1)


def test_order_number_is_drawn_again_when_taken() -> None:
    taken = make_order().order_number
    with mock.patch.object(numbers, "new_order_number", side_effect=[taken, taken, "1234-5674"]):
        assert make_order().order_number == "1234-5674"


@pytest.mark.django_db(transaction=True)
def test_twenty_clerks_confirm_one_order_and_one_succeeds() -> None:
    order, clerks = make_order(), [make_office() for _ in range(20)]
    outcomes: list[str] = []

    def confirm(index: int) -> None:
        try:
            Order.objects.get(pk=order.pk).transition_to(Status.CONFIRMED, by=clerks[index], source="rest")
            outcomes.append("done")
        except Refusal as refusal:
            outcomes.append(refusal.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=confirm, args=(index,)) for index in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", *["invalid_transition"] * 19]
    assert OrderStatusChange.objects.filter(order=order, to_status="confirmed").count() == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_orders_at_once_have_twenty_numbers() -> None:
    customer, product = make_customer(), make_product()
    made: list[str] = []

    def place() -> None:
        try:
            made.append(make_order(customer=customer, product=product).order_number)
        finally:
            connection.close()

    # So few numbers that the threads must collide.
    few = iter([f"{n // 3:04d}-0000" for n in range(200)])
    with mock.patch.object(numbers, "new_order_number", side_effect=lambda: next(few)):
        threads = [threading.Thread(target=place) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(made)) == len(made) == 20
