from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from luckygas.testing.emptied import empty
from orders.models import Order, OrderStatusChange
from orders.tests.factories import make_order


@pytest.mark.django_db(transaction=True)
def test_what_a_test_committed_goes_and_what_migrations_made_comes_back() -> None:
    rights = set(Permission.objects.values_list("codename", flat=True))
    make_order()
    Permission.objects.all().delete()
    empty()
    assert set(Permission.objects.values_list("codename", flat=True)) == rights
    assert len(rights) > 10
    assert not Order.objects.exists()
    assert not OrderStatusChange.objects.exists()
