from __future__ import annotations

import pytest

from orders.models import Change, item
from orders.models.item import Line
from orders.tests.factories import make_order, make_product
from web.refusals import Refusal

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_new_items_take_the_price_of_today(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    products = [make_product(price=price) for price in (500, 800)]
    with django_assert_num_queries(1):
        items = item.new_items([Line(product.pk, 2) for product in products])
    assert (item.amount(items), [item.unit_price for item in items]) == (2600, [500, 800])


@pytest.mark.parametrize("count", [0, 21])
def test_an_order_has_one_to_twenty_lines(count: int) -> None:
    with pytest.raises(Refusal) as refused:
        item.new_items([Line(n, 1) for n in range(count)])
    assert refused.value.code == "invalid_items"


def test_what_was_ordered_may_stay_when_it_is_no_longer_sold() -> None:
    product = make_product()
    order = make_order(product=product)
    product.is_active = False
    product.save()
    item.replace_items(order, [Line(product.pk, 3)], Change())
    assert (order.items.get().quantity, order.amount_due) == (3, 2400)


def test_replace_writes_nothing_when_refused() -> None:
    order = make_order()
    with pytest.raises(Refusal):
        item.replace_items(order, [Line(999_999, 1)], Change())
    assert order.items.count() == 1
