from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from health import samples
from health.models import Minute
from health.samples import Sampler, count_failed
from orders.tests.factories import make_order
from realtime.models import Event, HubStatistics

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 4, 10, 3, tzinfo=UTC)
MINUTE = datetime(2026, 11, 23, 4, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as travelled:
        yield travelled


def make_hub(instance: str, **lately: int) -> None:
    figures: dict[str, Any] = {"totals": {}, "lately": {name.replace("_of_", "."): n for name, n in lately.items()}}
    HubStatistics.objects.create(instance=instance, written_at=timezone.now(), figures=figures | {"seconds": 60})


def make_event(seq: int, at: datetime) -> None:
    Event.objects.create(seq=seq, type="t", channels=[], data={}, created_at=at)


def test_a_minute_sums_up_what_all_servers_counted() -> None:
    make_hub("a", deliveries=10, bell_missed=1, errors_of_forbidden=2, lag_of_5=3)
    make_hub("b", deliveries=5, errors_of_internal=1, lag_of_5=1, lag_of_20=1)
    for seq, seconds in enumerate((-1, 0, 59, 60)):
        make_event(seq, MINUTE + timedelta(seconds=seconds))
    make_order("confirmed")
    make_order("delivered")
    assert Sampler().tick()
    made = Minute.objects.get()
    assert (made.at, made.failed_requests) == (MINUTE, 0)
    assert made.figures == {
        "connections": 0, "events": 2, "deliveries": 15, "bell_missed": 1, "errors": 3, "lags": {"5": 4, "20": 1},
        "orders": {"confirmed": 1},
    }  # fmt: skip


def test_a_minute_is_written_once_whoever_is_first() -> None:
    assert Sampler().tick()
    Minute.objects.update(figures={"first": 1})
    assert not Sampler().tick()
    assert Minute.objects.get().figures == {"first": 1}


def test_a_server_asks_nothing_until_the_next_minute(
    clock: time_machine.Traveller,
    django_assert_num_queries: Any,
) -> None:
    sampler = Sampler()
    sampler.tick()
    clock.shift(timedelta(seconds=50))
    with django_assert_num_queries(0):
        assert not sampler.tick()
    clock.shift(timedelta(seconds=10))
    assert sampler.tick()


def test_failures_of_a_minute_are_added_up_and_left_alone_by_its_figures() -> None:
    count_failed(MINUTE, 2)
    count_failed(MINUTE, 3)
    assert Sampler().tick()
    made = Minute.objects.get()
    assert (made.failed_requests, made.figures is None) == (5, False)


def test_old_minutes_go() -> None:
    for age in (samples.KEPT + timedelta(minutes=1), samples.KEPT):
        Minute.objects.create(at=NOW - age)
    samples.prune()
    assert Minute.objects.get().at == NOW - samples.KEPT
