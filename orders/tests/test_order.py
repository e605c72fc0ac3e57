from __future__ import annotations

import re
from datetime import timedelta
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from orders import numbers
from orders.models import Change, Order, OrderStatusChange, item
from orders.models.item import OrderLine
from orders.models.order import VersionConflict
from orders.states import OrderStatus
from orders.tests.factories import TODAY, make_customer, make_driver, make_office, make_order, make_product
from orders.tests.threads import run_concurrently
from web.refusals import Refusal

pytestmark = pytest.mark.django_db


@pytest.mark.sqlite
def test_saving_stale_order_is_refused() -> None:
    order = make_order()
    mine, theirs = Order.objects.get(pk=order.pk), Order.objects.get(pk=order.pk)
    theirs.notes = "後門進"
    theirs.save()
    mine.notes = "前門進"
    with pytest.raises(VersionConflict) as refused, transaction.atomic():
        mine.save()
    assert refused.value.version == order.version + 1
    assert Order.objects.get(pk=order.pk).notes == "後門進"


@pytest.mark.sqlite
def test_save_without_changes_writes_nothing(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    order = Order.objects.get(pk=make_order().pk)
    with django_assert_num_queries(0):
        order.save()
    assert order.before == {}


@pytest.mark.sqlite
def test_conflict_keeps_version_and_unsaved_changes() -> None:
    order = make_order()
    Order.objects.get(pk=order.pk).transition_to(OrderStatus.CONFIRMED)
    order.notes = "late"
    with pytest.raises(VersionConflict), transaction.atomic():
        order.save()
    assert order.version == 1
    assert order.unsaved().keys() == {"notes"}


@pytest.mark.sqlite
def test_saving_deleted_row_is_refused() -> None:
    order = make_order()
    theirs = Order.objects.get(pk=order.pk)
    theirs.items.all().delete()
    theirs.delete()
    order.notes = "late"
    with pytest.raises(Refusal) as refused, transaction.atomic():
        order.save()
    assert (refused.value.code, refused.value.status) == ("not_found", 404)


@pytest.mark.sqlite
@pytest.mark.parametrize("named", [None, ["customer"], ["customer_id"]])
def test_changing_customer_revokes_tracking_link(named: list[str] | None) -> None:
    order = make_order()
    former, order.customer = order.tracking_token, make_customer()
    order.save(update_fields=named)
    assert Order.objects.get().tracking_token == order.tracking_token != former


@pytest.mark.sqlite
def test_other_changes_keep_tracking_link() -> None:
    order = make_order()
    former, order.notes, order.customer = order.tracking_token, "後門進", make_customer()
    order.save(update_fields=["notes"])
    assert Order.objects.get().tracking_token == order.tracking_token == former


@pytest.mark.sqlite
def test_new_order_has_first_history_row() -> None:
    order = make_order()
    (row,) = order.history.all()
    assert (row.from_status, row.to_status, row.version) == ("", "pending", 1)


@pytest.mark.sqlite
def test_another_number_is_drawn_if_order_number_is_in_use() -> None:
    taken = make_order().order_number
    with mock.patch.object(numbers, "new_order_number", side_effect=[taken, taken, "1234-5674"]):
        assert make_order().order_number == "1234-5674"


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_concurrent_confirms_accept_one() -> None:
    order, clerks = make_order(), [make_office() for _ in range(20)]

    def confirm(clerk: User) -> str:
        return Order.objects.get(pk=order.pk).transition_to(OrderStatus.CONFIRMED, by=clerk, source="rest").to_status

    assert sorted(run_concurrently(confirm, clerks)) == ["confirmed", *["invalid_transition"] * 19]
    assert OrderStatusChange.objects.filter(order=order, to_status="confirmed").count() == 1


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_concurrent_orders_get_distinct_numbers() -> None:
    customer, product = make_customer(), make_product()
    # There are few numbers, so that the threads must draw the same ones.
    few = iter([f"{n // 3:04d}-0000" for n in range(200)])
    with mock.patch.object(numbers, "new_order_number", side_effect=lambda: next(few)):
        order_numbers = run_concurrently(
            lambda one: make_order(customer=one, product=product).order_number, [customer] * 20
        )
    assert len(set(order_numbers)) == 20


def test_order_number_is_two_groups_of_four_digits() -> None:
    assert re.fullmatch(r"\d{4}-\d{4}", numbers.new_order_number())


def test_luhn_check_digit_matches_known_example() -> None:
    assert numbers.luhn_check_digit("7992739871") == 3


@given(st.from_regex(r"\d{7}", fullmatch=True), st.integers(0, 7), st.integers(1, 9))
def test_one_wrong_digit_fails_check(digits: str, place: int, off: int) -> None:
    number = digits + str(numbers.luhn_check_digit(digits))
    misheard = [*number]
    misheard[place] = str((int(misheard[place]) + off) % 10)
    assert numbers.luhn_check_digit("".join(misheard[:7])) != int(misheard[7])


@pytest.mark.parametrize(
    ("typed", "column"),
    [
        ("48217736", "4821-7736"),
        ("４８２１７７３６", "4821-7736"),
        ("７７３６", "7736"),
        ("4821 77", "4821-77"),
        ("4821-7736", "4821-7736"),
        ("7736", "7736"),
        ("王", "王"),
    ],
)
def test_typed_order_number_gets_hyphen(typed: str, column: str) -> None:
    assert numbers.normalise_order_number(typed) == column


def test_tracking_token_is_short_and_random() -> None:
    tokens = {numbers.new_tracking_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {12}


@pytest.mark.sqlite
def test_new_items_get_todays_price(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    products = [make_product(price=price) for price in (500, 800)]
    with django_assert_num_queries(1):
        items = item.new_items([OrderLine(product.pk, 2) for product in products])
    assert (item.amount(items), [item.unit_price for item in items]) == (2600, [500, 800])


@pytest.mark.sqlite
@pytest.mark.parametrize("count", [0, 21])
def test_order_needs_one_to_twenty_lines(count: int) -> None:
    with pytest.raises(Refusal) as refused:
        item.new_items([OrderLine(n, 1) for n in range(count)])
    assert refused.value.code == "invalid_items"


@pytest.mark.sqlite
def test_ordered_item_may_stay_after_product_is_deactivated() -> None:
    product = make_product()
    order = make_order(product=product)
    product.is_active = False
    product.save()
    item.replace_items(order, [OrderLine(product.pk, 3)], Change())
    assert (order.items.get().quantity, order.amount_due) == (3, 2400)


@pytest.mark.sqlite
def test_refused_replace_items_writes_nothing() -> None:
    order = make_order()
    with pytest.raises(Refusal):
        item.replace_items(order, [OrderLine(999_999, 1)], Change())
    assert order.items.count() == 1


def test_next_stop_is_the_arriving_order() -> None:
    driver = make_driver()
    make_order(OrderStatus.DELIVERING, driver=driver, stop_sequence=1)
    arriving = make_order(OrderStatus.ARRIVING, driver=driver, stop_sequence=2)
    assert Order.objects.next_stops([driver.pk]) == {driver.pk: arriving.pk}


def test_next_stop_is_first_order_on_the_road() -> None:
    driver, other = make_driver(), make_driver()
    make_order(OrderStatus.DELIVERED, driver=driver, stop_sequence=1)
    make_order(OrderStatus.ASSIGNED, driver=driver, stop_sequence=1)
    make_order(OrderStatus.DELIVERING, driver=driver)
    make_order(OrderStatus.DELIVERING, driver=driver, stop_sequence=3)
    second = make_order(OrderStatus.DELIVERING, driver=driver, stop_sequence=2)
    make_order(OrderStatus.DELIVERING, driver=make_driver(), stop_sequence=1)
    assert Order.objects.next_stops([driver.pk, other.pk]) == {driver.pk: second.pk}


def test_stops_without_sequence_are_ordered_by_date() -> None:
    driver = make_driver()
    make_order(OrderStatus.DELIVERING, driver=driver)
    earlier = make_order(OrderStatus.DELIVERING, driver=driver, scheduled_date=TODAY - timedelta(days=1))
    assert Order.objects.next_stops([driver.pk]) == {driver.pk: earlier.pk}
