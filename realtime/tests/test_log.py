from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_order
from orders.tests.threads import in_thread
from realtime import log
from realtime.models import Event, LogHead, Outbox
from realtime.outbox import announce

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def announce_customer(pk: int) -> None:
    announce("customer.updated", f"customer:{pk}", {"name": f"王{pk}"})


def customers_in_log() -> list[int]:
    return [event.data["customer_id"] for event in log.read(0, 1000)]


def test_event_ids_are_consecutive_in_outbox_order() -> None:
    for pk in (7, 8, 9):
        announce_customer(pk)
    assert log.assign_event_ids() == 3
    assert [(event.seq, event.data["customer_id"]) for event in log.read(0, 10)] == [(1, 7), (2, 8), (3, 9)]
    assert (Outbox.objects.count(), log.head().seq) == (0, 3)


def test_changes_of_several_batches_all_get_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "BATCH", 2)
    for pk in range(1, 6):
        announce_customer(pk)
    assert log.assign_event_ids() == 5
    assert customers_in_log() == [1, 2, 3, 4, 5]


def test_log_head_of_an_older_release_works() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO realtime_loghead (id, epoch, seq, floor) VALUES (1, 'before', 0, 0)")
    announce_customer(7)
    assert log.assign_event_ids() == 1


def test_empty_outbox_writes_nothing() -> None:
    assert log.assign_event_ids() == 0
    assert not LogHead.objects.exists()


@pytest.mark.parametrize(
    ("waiting", "by_bell", "statements"),
    [(True, True, 5), (True, False, 6), (False, True, 2), (False, False, 1)],
    ids=["a change here", "a change elsewhere", "a bell without a change", "idle"],
)
def test_assigning_ids_takes_few_queries(waiting: bool, by_bell: bool, statements: int) -> None:
    announce_customer(1)
    log.assign_event_ids()
    if waiting:
        announce_customer(2)
    with CaptureQueriesContext(connection) as queries:
        batch = log.assign_next_batch(by_bell=by_bell)
    # The test's transaction adds savepoints, which are not counted.
    assert sum("SAVEPOINT" not in query["sql"] for query in queries.captured_queries) == statements
    assert (batch.head.seq, [event.seq for event in batch.events]) == (1, [2] if waiting else [])


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by_bell", [True, False])
def test_assigning_ids_does_not_wait_for_the_lock(by_bell: bool) -> None:
    is_locked, ended = threading.Event(), threading.Event()
    announce_customer(1)
    log.head()

    def hold() -> None:
        with transaction.atomic():
            LogHead.objects.select_for_update().get()
            is_locked.set()
            assert ended.wait(10)

    thread = in_thread(hold)
    assert is_locked.wait(10)
    batch = log.assign_next_batch(by_bell=by_bell)
    assert (batch.busy, batch.events, batch.head.seq) == (True, [], 0)
    ended.set()
    thread.join()
    batch = log.assign_next_batch(by_bell=by_bell)
    assert (batch.busy, [event.seq for event in batch.events]) == (False, [1])


@pytest.mark.parametrize(
    ("since", "epoch", "covered"),
    [(0, None, False), (4, None, False), (2, "other", False), (1, "this", True), (3, None, True), (2, "", True)],
)
def test_log_covers_only_cursors_from_floor_to_end(since: int, epoch: str | None, covered: bool) -> None:
    assert log.covers(since, epoch, floor=1, seq=3, log_epoch="this") is covered


def test_invalid_row_does_not_block_others() -> None:
    Outbox.objects.create(type="order.created", subject="van:1", delta={})
    Outbox.objects.create(type="order.updated", subject="order:1", delta={"customer_id": 1})
    announce_customer(7)
    assert log.assign_event_ids() == 1
    assert (customers_in_log(), Outbox.objects.count()) == ([7], 0)


def test_three_quick_moves_become_three_different_events() -> None:
    order = make_order(OrderStatus.ASSIGNED)
    log.assign_event_ids()
    start = log.head().seq
    for status in (OrderStatus.DELIVERING, OrderStatus.ARRIVING, OrderStatus.FAILED):
        order.transition_to(status, reason="沒人在家")
    log.assign_event_ids()
    events = Event.objects.filter(seq__gt=start, type="order.status_changed", channels=["orders"]).order_by("seq")
    moves = [(e.data["previous_status"], e.data["status"], e.data["version"]) for e in events]
    assert moves == [
        ("assigned", "delivering", order.version - 2),
        ("delivering", "arriving", order.version - 1),
        ("arriving", "failed", order.version),
    ]


DAY = timedelta(days=1)


def make_events(*days_ago: float) -> None:
    for seq, days in enumerate(days_ago, start=1):
        Event.objects.create(seq=seq, type="x", channels=["system"], data={}, created_at=timezone.now() - days * DAY)
    LogHead.objects.create(pk=log.HEAD_ID, seq=len(days_ago))


@pytest.mark.parametrize(
    ("days_ago", "floor"),
    [((9, 8, 3, 1), 2), ((9, 3, 6, 1), 1), ((3, 9, 1), 0), ((), 0)],
)
def test_floor_stops_before_the_first_recent_event(days_ago: tuple[int, ...], floor: int) -> None:
    make_events(*days_ago)
    assert (log.move_floor(7 * DAY), log.head().floor) == (floor, floor)


@pytest.mark.parametrize(
    "days_ago",
    [(372, 371, 368, 366), (372, 368, 0.01, 0), (24, 20, 18), (3, -360, -361, 0), (3, 20_000, 20_000, 0)],
    ids=["a year ahead", "ahead, and events since", "two weeks ahead", "ahead for a while", "in 1970 for a while"],
)
def test_clock_jump_makes_no_event_old(days_ago: tuple[float, ...]) -> None:
    make_events(*days_ago)
    assert log.move_floor(7 * DAY) == 0


def test_event_from_the_future_does_not_stop_pruning() -> None:
    make_events(12, -360, 11, 9.5, 8.5, 7.5, 6.5, 5, 4, 3, 2, 1)
    assert log.move_floor(7 * DAY) == 6


def test_floor_never_moves_back() -> None:
    make_events(9, 8, 3)
    LogHead.objects.update(floor=3)
    assert log.move_floor(7 * DAY) == 3


def test_prune_deletes_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "BATCH", 2)
    make_events(*[9] * 5, 1)
    assert list(log.prune(5)) == [2, 2, 1]
    assert [event.seq for event in log.read(0, 10)] == [6]


def test_event_ids_continue_after_pruning_everything() -> None:
    make_events(9, 8)
    list(log.prune(log.move_floor(-DAY)))
    announce_customer(7)
    log.assign_event_ids()
    assert ([event.seq for event in log.read(0, 10)], log.head().floor) == ([3], 2)


@pytest.mark.django_db(transaction=True)
def test_rolled_back_change_leaves_no_outbox_row() -> None:
    order = make_order()
    log.assign_event_ids()
    before = log.head().seq
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        order.transition_to(OrderStatus.CONFIRMED)
        raise ZeroDivisionError
    assert (log.assign_event_ids(), Outbox.objects.count(), log.head().seq) == (0, 0, before)


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("assign_between", [True, False])
def test_commits_out_of_id_order_lose_no_event(assign_between: bool) -> None:
    """The first transaction gets the lower outbox id and commits second."""
    first_wrote, second_committed = threading.Event(), threading.Event()

    def first() -> None:
        with transaction.atomic():
            announce_customer(1)
            first_wrote.set()
            assert second_committed.wait(10)

    thread = in_thread(first)
    assert first_wrote.wait(10)
    announce_customer(2)
    cursors = [0]
    if assign_between:
        log.assign_event_ids()
        cursors.append(log.head().seq)
        assert customers_in_log() == [2]
    second_committed.set()
    thread.join()
    log.assign_event_ids()
    assert sorted(customers_in_log()) == [1, 2]
    for cursor in cursors:
        behind = [event.data["customer_id"] for event in log.read(cursor, 10)]
        assert 1 in behind, f"a reader at {cursor} never sees the first transaction's event"
    assert [event.seq for event in log.read(0, 10)] == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_concurrent_id_assignment_leaves_no_gap() -> None:
    done = threading.Event()

    def keep_assigning() -> None:
        while not done.is_set():
            log.assign_event_ids()

    threads = [in_thread(keep_assigning) for _ in range(3)]
    orders = [make_order() for _ in range(4)]

    def change(order: Order) -> None:
        for status in (OrderStatus.CONFIRMED, OrderStatus.CANCELLED):
            order.transition_to(status, reason="測試")

    for thread in [in_thread(lambda order=order: change(order)) for order in orders]:  # type: ignore[misc]
        thread.join()
    done.set()
    for thread in threads:
        thread.join()
    log.assign_event_ids()
    events = log.read(0, 1000)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    for order in orders:
        versions = [e.data["version"] for e in events if e.channels == ["orders"] and e.data["order_id"] == order.pk]
        assert versions == sorted(versions)
        assert set(versions) == {1, 2, 3}
