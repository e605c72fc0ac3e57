from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts import visibility
from accounts.roles import Anyone, Role, Side, roles, side_of
from orders.models import Order
from orders.permissions import sides_towards
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_user

pytestmark = pytest.mark.django_db


def visible_orders(user: Anyone) -> set[int]:
    return set(visibility.visible(user, Order.objects.all()).values_list("pk", flat=True))


def test_each_role_sees_its_orders() -> None:
    driver, customer = make_driver(), make_customer(user=make_user())
    assert customer.user is not None
    driven, owned, other = make_order("assigned", driver=driver), make_order(customer=customer), make_order()
    assert visible_orders(make_office()) == {driven.pk, owned.pk, other.pk}
    assert visible_orders(driver.user) == {driven.pk}
    assert visible_orders(customer.user) == {owned.pk}
    assert visible_orders(make_user()) == set()
    assert visible_orders(AnonymousUser()) == set()


def test_deactivated_users_have_no_role() -> None:
    office, driver, customer = make_office(is_active=False), make_driver(is_active=False), make_customer()
    customer.user, customer.is_active = make_user(), False
    customer.save()
    for user in (office, driver.user, customer.user):
        assert list(roles(user)) == []
        assert visible_orders(user) == set()


def test_widest_of_several_roles_counts() -> None:
    driver = make_driver(user=make_office())
    assert list(roles(driver.user)) == [Role.MANAGER, Role.DRIVER]
    assert side_of(driver.user) == Side.OFFICE
    assert side_of(make_user()) is None


def test_driver_side_applies_only_to_own_orders() -> None:
    driver = make_driver()
    order = make_order("assigned", driver=driver)
    assert sides_towards(driver.user, order) == {Side.DRIVER}
    assert sides_towards(make_driver().user, order) == frozenset()
    assert sides_towards(None, order) == {Side.OFFICE}


def test_order_without_driver_belongs_to_no_driver() -> None:
    assert sides_towards(make_user(), make_order()) == frozenset()
