"""Late reports of a driver without signal: only messages that are still true are sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifications import queue, sender
from notifications.gateways.local import Memory
from notifications.models import MessageTemplate, NotificationHistory
from notifications.states import MessageKind, MessageStatus, Reason
from notifications.tests.factories import make_message, make_quiet_order
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.api.client import Api
from orders.tests.factories import make_customer, make_driver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def wait_for_senders() -> Iterator[None]:
    yield
    assert sender.pool().drain(10)


def make_stop(driver: Any, status: str = OrderStatus.ASSIGNED, **customer: Any) -> Order:
    return make_quiet_order(
        status, driver=driver, customer=make_customer(**customer), created_at=timezone.now() - timedelta(hours=3)
    )


def report(order: Order, *moves: tuple[str, int]) -> None:
    """Changes the order's status to each of `moves`, which its driver reports as so many seconds old."""
    assert order.driver
    for to, seconds in moves:
        at = timezone.now() - timedelta(seconds=seconds)
        order.transition_to(to, by=order.driver.user, at=at, reason="nobody home" if to == OrderStatus.FAILED else "")


def texts() -> list[str]:
    return [message.text for message in Memory.outbox]


def statuses(order: Order) -> dict[str, tuple[str, str]]:
    rows = NotificationHistory.objects.filter(order=order)
    return {row.kind: (row.status, row.status_reason) for row in rows}


def wait_a_minute() -> None:
    """Makes every waiting message due without a real wait, and sends it."""
    NotificationHistory.objects.unannounced().update(send_after=timezone.now())
    for row in NotificationHistory.objects.due():
        sender.deliver_one(row.pk)


OVERTAKEN = (MessageStatus.CANCELLED, Reason.OVERTAKEN)
SENT = (MessageStatus.SENT, "")
WAITS = (MessageStatus.PENDING, "")


def test_late_reports_of_whole_delivery_send_only_the_last_message() -> None:
    order = make_stop(make_driver())
    report(order, (OrderStatus.DELIVERING, 120), (OrderStatus.ARRIVING, 60), (OrderStatus.DELIVERED, 0))
    wait_a_minute()
    assert statuses(order) == {
        MessageKind.DRIVER_ON_THE_WAY: OVERTAKEN, MessageKind.DRIVER_ARRIVING: OVERTAKEN,
        MessageKind.ORDER_DELIVERED: SENT,
    }  # fmt: skip
    (text,) = texts()
    assert "已送達" in text


def test_late_departure_message_waits_a_minute() -> None:
    order = make_stop(make_driver())
    report(order, (OrderStatus.DELIVERING, 120))
    row = NotificationHistory.objects.get()
    assert (row.status, texts()) == (MessageStatus.PENDING, [])
    assert row.send_after == row.created_at + queue.FOLLOWS_WITHIN
    wait_a_minute()
    assert (statuses(order), len(texts())) == ({MessageKind.DRIVER_ON_THE_WAY: SENT}, 1)


def test_report_in_time_sends_at_once() -> None:
    order = make_stop(make_driver())
    report(order, (OrderStatus.DELIVERING, 5))
    assert statuses(order) == {MessageKind.DRIVER_ON_THE_WAY: SENT}


def test_switched_off_failure_is_not_sent_without_departure_message() -> None:
    order = make_stop(make_driver())
    report(order, (OrderStatus.DELIVERING, 120), (OrderStatus.FAILED, 60))
    wait_a_minute()
    switched_off = (MessageStatus.SUPPRESSED, Reason.SWITCHED_OFF)
    assert statuses(order) == {MessageKind.DRIVER_ON_THE_WAY: OVERTAKEN, MessageKind.DELIVERY_FAILED: switched_off}
    assert texts() == []


@pytest.mark.parametrize("status", ["sent", "delivered", "unknown", "sending", "expired"])
@pytest.mark.parametrize("kind", [MessageKind.DRIVER_ON_THE_WAY, MessageKind.DRIVER_ARRIVING])
def test_failure_after_announced_departure_is_sent_although_switched_off(status: str, kind: str) -> None:
    order = make_stop(make_driver(), OrderStatus.ARRIVING)
    make_message(status, order=order, kind=kind)
    MessageTemplate.make_missing()
    report(order, (OrderStatus.FAILED, 60))
    assert statuses(order)[MessageKind.DELIVERY_FAILED] == SENT


@pytest.mark.parametrize(
    ("status", "attempt"), [("suppressed", 1), ("cancelled", 1), ("failed", 1), ("pending", 1), ("sent", 2)]
)
def test_failure_is_not_sent_if_departure_message_was_unsent_or_of_another_attempt(status: str, attempt: int) -> None:
    order = make_stop(make_driver(), OrderStatus.DELIVERING)
    make_message(status, order=order, kind=MessageKind.DRIVER_ON_THE_WAY, delivery_attempt=attempt)
    report(order, (OrderStatus.FAILED, 0))
    assert statuses(order)[MessageKind.DELIVERY_FAILED] == (MessageStatus.SUPPRESSED, Reason.SWITCHED_OFF)


@pytest.mark.parametrize("opt_out", [{"sms_opt_out": True}, {"sms_changes": False}])
def test_opt_out_also_stops_failure_message(opt_out: dict[str, bool]) -> None:
    order = make_stop(make_driver(), OrderStatus.DELIVERING, **opt_out)
    make_message("sent", order=order, kind=MessageKind.DRIVER_ON_THE_WAY)
    report(order, (OrderStatus.FAILED, 60))
    assert statuses(order)[MessageKind.DELIVERY_FAILED] == (MessageStatus.SUPPRESSED, Reason.OPT_OUT)
    assert texts() == []


def test_late_arriving_and_turned_away_send_nothing() -> None:
    order = make_stop(make_driver(), OrderStatus.DELIVERING)
    report(order, (OrderStatus.ARRIVING, 90), (OrderStatus.DELIVERING, 60))
    assert statuses(order)[MessageKind.DRIVER_ARRIVING] == OVERTAKEN
    wait_a_minute()
    assert texts() == []


def test_late_turned_away_and_back_sends_nothing() -> None:
    order = make_stop(make_driver(), OrderStatus.ARRIVING)
    make_message("sent", order=order, kind=MessageKind.DRIVER_ARRIVING)
    report(order, (OrderStatus.DELIVERING, 90), (OrderStatus.ARRIVING, 60))
    wait_a_minute()
    assert statuses(order) == {MessageKind.DRIVER_ARRIVING: SENT, MessageKind.DRIVER_TURNED_AWAY: OVERTAKEN}
    assert texts() == []


def test_all_reported_ends_this_drivers_wait() -> None:
    mine, other = make_driver(), make_driver()
    orders = [make_stop(driver) for driver in (mine, mine, other)]
    for order in orders:
        report(order, (OrderStatus.DELIVERING, 120))
    report(orders[1], (OrderStatus.ARRIVING, 60))
    answers = [Api(mine.user).post("notifications/all-reported/") for _ in range(2)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (200, {"messages": 3}), (200, {"messages": 0}),
    ]  # fmt: skip
    assert sender.pool().drain(10)
    assert [statuses(order) for order in orders] == [
        {MessageKind.DRIVER_ON_THE_WAY: SENT},
        {MessageKind.DRIVER_ON_THE_WAY: OVERTAKEN, MessageKind.DRIVER_ARRIVING: SENT},
        {MessageKind.DRIVER_ON_THE_WAY: WAITS},
    ]  # fmt: skip
    assert len(texts()) == 2


@pytest.mark.parametrize(
    "columns",
    [
        {"send_after": timezone.now() + timedelta(hours=9)},
        {"status_reason": Reason.BUSY},
        {"status_reason": Reason.UNKNOWN_CODE},
        {"attempts": 1},
        {"kind": MessageKind.ORDER_CONFIRMED},
    ],
)
def test_all_reported_does_not_send_messages_that_wait_for_another_reason(columns: dict[str, Any]) -> None:
    driver = make_driver()
    defaults: dict[str, Any] = {
        "kind": MessageKind.DRIVER_ON_THE_WAY,
        "send_after": timezone.now() + timedelta(seconds=50),
    }
    make_message(order=make_stop(driver, OrderStatus.DELIVERING), caused_by=driver.user, **(defaults | columns))
    assert Api(driver.user).post("notifications/all-reported/").json() == {"messages": 0}


def seconds_ago(seconds: int) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def test_late_reports_over_rest_wait() -> None:
    driver = make_driver()
    order = make_stop(driver)
    api = Api(driver.user)
    for to, seconds in ((OrderStatus.DELIVERING, 120), (OrderStatus.ARRIVING, 60)):
        form_data = {"status": to, "at": seconds_ago(seconds).isoformat()}
        assert api.patch(f"orders/{order.pk}/status/", form_data).status_code == 200
    assert statuses(order) == {MessageKind.DRIVER_ON_THE_WAY: WAITS, MessageKind.DRIVER_ARRIVING: WAITS}
    form_data = {"confirmation_type": "manual", "confirmed_at": seconds_ago(1).isoformat()}
    assert api.post(f"orders/{order.pk}/confirm-delivery/", form_data).status_code == 200
    wait_a_minute()
    assert statuses(order)[MessageKind.ORDER_DELIVERED] == SENT
    assert len(texts()) == 1
