from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import transaction

from notifications.models import NotificationHistory
from orders.tests.factories import make_order
from realtime import outbox
from realtime.models import Outbox
from realtime.outbox import announce

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rings() -> Iterator[list[str]]:
    """How often the bell was rung in this process, with what was committed by then."""
    heard: list[str] = []

    def wake() -> None:
        heard.append(",".join(Outbox.objects.order_by("id").values_list("subject", flat=True)))

    outbox.register(wake)
    yield heard
    outbox.unregister(wake)


def test_the_bell_rings_once_a_transaction_after_the_commit(rings: list[str]) -> None:
    with transaction.atomic():
        announce("customer.updated", "customer:1", {"name": "王"})
        announce("customer.updated", "customer:2", {"name": "李"})
        assert rings == []
    assert rings == ["customer:1,customer:2"]


def test_a_rolled_back_transaction_rings_nothing(rings: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        announce("customer.updated", "customer:1", {"name": "王"})
        raise ZeroDivisionError
    assert (rings, Outbox.objects.count()) == ([], 0)


def test_what_follows_a_rolled_back_savepoint_still_rings(rings: list[str]) -> None:
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            announce("customer.updated", "customer:1", {"name": "王"})
            raise ZeroDivisionError
        announce("customer.updated", "customer:2", {"name": "李"})
    assert rings == ["customer:2"]


def test_the_screens_are_told_before_the_sms_is_sent() -> None:
    order, at_the_bell = make_order(), []

    def wake() -> None:
        at_the_bell.append(list(NotificationHistory.objects.values_list("status", flat=True)))

    outbox.register(wake)
    order.transition_to("confirmed")
    outbox.unregister(wake)
    assert at_the_bell[0] == ["pending"]
