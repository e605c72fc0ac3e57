from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone

from notifications import sender
from notifications.gateways.local import Memory
from notifications.models import NotificationHistory
from notifications.states import MessageKind, MessageStatus, Reason
from notifications.tests.factories import make_message, make_quiet_order
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_driver, make_order

pytestmark = pytest.mark.django_db


def kinds(order: Order) -> list[tuple[str, int]]:
    rows = NotificationHistory.objects.filter(order=order).order_by("delivery_attempt", "created_at")
    return [(row.kind, row.delivery_attempt) for row in rows]


ON_THE_WAY = [MessageKind.ORDER_CONFIRMED, MessageKind.DRIVER_ON_THE_WAY]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (OrderStatus.PENDING, []),
        (OrderStatus.DELIVERED, [*ON_THE_WAY, MessageKind.DRIVER_ARRIVING, MessageKind.ORDER_DELIVERED]),
        (OrderStatus.FAILED, [*ON_THE_WAY, MessageKind.DELIVERY_FAILED]),
        (OrderStatus.CANCELLED, [MessageKind.ORDER_CANCELLED]),
    ],
)
def test_each_status_queues_its_message(status: OrderStatus, expected: list[MessageKind]) -> None:
    order = make_order(status)
    order.notes = "後門"
    order.save()
    assert kinds(order) == [(kind, 1) for kind in expected]


@pytest.mark.parametrize(
    ("previous", "status", "kind"),
    [
        (OrderStatus.ASSIGNED, OrderStatus.DELIVERING, MessageKind.DRIVER_ON_THE_WAY),
        (OrderStatus.DELIVERING, OrderStatus.ARRIVING, MessageKind.DRIVER_ARRIVING),
    ],
)
def test_status_reached_twice_queues_one_message(previous: OrderStatus, status: OrderStatus, kind: MessageKind) -> None:
    order = make_order(status)
    NotificationHistory.objects.unannounced().update(status=MessageStatus.SENT)
    order.transition_to(previous)
    order.transition_to(status)
    assert [queued for queued, _ in kinds(order)].count(kind) == 1


def test_unassigned_order_is_not_confirmed_again() -> None:
    order = make_order(OrderStatus.ASSIGNED)
    order.transition_to(OrderStatus.CONFIRMED)
    assert kinds(order) == [(MessageKind.ORDER_CONFIRMED, 1)]


def test_next_attempt_queues_messages_again() -> None:
    order = make_order(OrderStatus.FAILED)
    order.transition_to(OrderStatus.CONFIRMED)
    order.transition_to(OrderStatus.ASSIGNED, driver=make_driver())
    attempts = [attempt for kind, attempt in kinds(order) if kind == MessageKind.ORDER_CONFIRMED]
    assert attempts == [1, 2]


@pytest.mark.parametrize(("status", "rows"), [("cancelled", 2), ("failed", 2), ("suppressed", 1), ("sent", 1)])
def test_on_the_way_message_is_queued_again_if_the_first_was_cancelled_or_failed(status: str, rows: int) -> None:
    order = make_order(OrderStatus.DELIVERING)
    NotificationHistory.objects.filter(order=order, kind=MessageKind.DRIVER_ON_THE_WAY).unannounced().update(
        status=status
    )
    order.transition_to(OrderStatus.ASSIGNED)
    order.transition_to(OrderStatus.DELIVERING)
    assert [kind for kind, _ in kinds(order)].count(MessageKind.DRIVER_ON_THE_WAY) == rows


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (OrderStatus.CONFIRMED, MessageKind.ORDER_CONFIRMED),
        (OrderStatus.ASSIGNED, MessageKind.ORDER_CONFIRMED),
        (OrderStatus.DELIVERING, MessageKind.DRIVER_ON_THE_WAY),
        (OrderStatus.ARRIVING, MessageKind.DRIVER_ARRIVING),
        (OrderStatus.DELIVERED, MessageKind.ORDER_DELIVERED),
    ],
)
def test_new_customer_gets_the_last_message(status: OrderStatus, kind: MessageKind) -> None:
    order = make_order(status)
    order.customer = make_customer()
    order.save()
    row = NotificationHistory.objects.get(customer=order.customer)
    if status == OrderStatus.DELIVERING:
        assert (row.kind, row.happened_at) == (kind, order.change.at)
        return
    since = order.history.filter(
        to_status=OrderStatus.CONFIRMED if kind == MessageKind.ORDER_CONFIRMED else status
    ).get()
    assert (row.order, row.kind, row.happened_at) == (order, kind, since.at)


@pytest.mark.django_db(transaction=True)
def test_only_the_new_customer_gets_the_link() -> None:
    order = make_quiet_order(OrderStatus.DELIVERING)
    late = make_message(order=order, kind=MessageKind.DRIVER_ON_THE_WAY)
    order.customer = make_customer(phone="0987-654-321")
    order.save()
    sender.deliver_one(late.pk)
    late.refresh_from_db()
    assert (late.status, late.status_reason) == (MessageStatus.CANCELLED, Reason.OVERTAKEN)
    assert [(sent.phone, order.tracking_token in sent.text) for sent in Memory.outbox] == [("+886987654321", True)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("status", "expected"),
    [(OrderStatus.DELIVERING, MessageStatus.SENT), (OrderStatus.ARRIVING, MessageStatus.CANCELLED)],
)
def test_new_customer_after_forty_minutes_gets_link_but_no_arrival(status: OrderStatus, expected: str) -> None:
    order = make_quiet_order(status)
    order.history.update(at=timezone.now() - timedelta(minutes=40))
    order.customer = make_customer()
    order.save()
    assert NotificationHistory.objects.get(order=order).status == expected


def test_turned_away_is_not_queued_for_customer_without_arrival_message() -> None:
    order = make_quiet_order(OrderStatus.ARRIVING)
    make_message("sent", order=order, kind=MessageKind.DRIVER_ARRIVING)
    order.customer = make_customer()
    order.save()
    NotificationHistory.objects.filter(customer=order.customer).unannounced().delete()
    order.transition_to(OrderStatus.DELIVERING)
    assert not NotificationHistory.objects.filter(customer=order.customer).exists()


def test_message_stores_time_of_event() -> None:
    order = make_quiet_order(OrderStatus.DELIVERING, created_at=timezone.now() - timedelta(hours=3))
    happened = timezone.now() - timedelta(hours=1)
    order.transition_to(OrderStatus.ARRIVING, at=happened)
    assert NotificationHistory.objects.get(order=order).happened_at == happened


def arrival_before_turning_away(status: str, attempts: int = 1) -> NotificationHistory:
    """Returns the arrival message of an order whose driver then turned away."""
    order = make_quiet_order(OrderStatus.ARRIVING)
    row = NotificationHistory.objects.create(
        order=order, customer=order.customer, kind=MessageKind.DRIVER_ARRIVING, status=status, attempts=attempts
    )
    order.transition_to(OrderStatus.DELIVERING)
    row.refresh_from_db()
    return row


@pytest.mark.parametrize(
    ("status", "attempts", "expected", "is_corrected"),
    [
        *((status, 1, status, True) for status in ("sending", "sent", "delivered", "unknown", "expired")),
        *((status, 1, status, False) for status in ("suppressed", "cancelled", "failed")),
        # An unsent message is cancelled; one that waits for a retry becomes unknown.
        ("pending", 0, "cancelled", False),
        ("pending", 1, "unknown", True),
    ],
)
def test_turned_away_is_queued_if_arrival_may_have_been_sent(
    status: str, attempts: int, expected: str, is_corrected: bool
) -> None:
    row = arrival_before_turning_away(status, attempts)
    assert (row.status, row.status_reason) == (expected, Reason.OVERTAKEN if status == "pending" else "")
    assert kinds(row.order)[1:] == [(MessageKind.DRIVER_TURNED_AWAY, 1)] * is_corrected  # type: ignore[arg-type]


def reschedule(order: Order, **columns: object) -> None:
    for name, value in columns.items():
        setattr(order, name, value)
    order.save()


def test_each_new_date_queues_a_message() -> None:
    order = make_quiet_order(OrderStatus.CONFIRMED)
    reschedule(order, scheduled_date=date(2099, 11, 25))
    reschedule(order, time_slot="evening")
    assert kinds(order) == [(MessageKind.ORDER_RESCHEDULED, 1)] * 2


@pytest.mark.parametrize(
    "status", [OrderStatus.PENDING, OrderStatus.ARRIVING, OrderStatus.DELIVERED, OrderStatus.FAILED]
)
def test_new_date_queues_nothing_before_confirmation_or_from_arrival_on(status: OrderStatus) -> None:
    order = make_quiet_order(status)
    reschedule(order, scheduled_date=date(2099, 11, 25))
    assert kinds(order) == []
