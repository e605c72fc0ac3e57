from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission

from luckygas.testing.emptied import empty
from orders.models import Order, OrderStatusChange
from orders.tests.factories import make_order


@pytest.mark.django_db(transaction=True)
def test_what_a_test_committed_goes_and_what_migrations_made_comes_back() -> None:
    rights = set(Group.objects.values_list("name", "permissions"))
    make_order()
    Group.objects.all().delete()
    Permission.objects.all().delete()
    empty()
    assert set(Group.objects.values_list("name", "permissions")) == rights
    assert len(rights) > 10
    assert not Order.objects.exists()
    assert not OrderStatusChange.objects.exists()
