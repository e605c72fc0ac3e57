from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from orders.refusals import Refusal
from realtime import fixes

HERE = {"latitude": 25.0330, "longitude": 121.5654}


def in_(**delta: float) -> str:
    return (timezone.now() + timedelta(**delta)).isoformat()


def test_a_position_is_read_with_all_it_says() -> None:
    fix = fixes.newest(
        7, HERE | {"speed": 30, "heading": 45.5, "accuracy": 10, "timestamp": "2026-11-22T10:00:00+08:00"}
    )
    assert (fix.driver_id, fix.latitude, fix.longitude) == (7, 25.0330, 121.5654)
    assert (fix.speed, fix.heading, fix.accuracy) == (30, 45.5, 10)
    assert fix.recorded_at == datetime.fromisoformat("2026-11-22T02:00:00Z")


def test_a_position_without_a_time_is_of_now_and_needs_no_motion() -> None:
    fix = fixes.newest(7, HERE | {"speed": None})
    assert abs(timezone.now() - fix.recorded_at) < timedelta(seconds=5)
    assert (fix.speed, fix.heading, fix.accuracy) == (None, None, None)


def test_the_newest_of_a_batch_counts() -> None:
    minutes = [3, 1, 2]
    batch = [HERE | {"speed": ago, "timestamp": in_(minutes=-ago)} for ago in minutes]
    assert fixes.newest(7, {"locations": batch}).speed == 1


def test_of_a_batch_without_times_the_last_counts() -> None:
    assert fixes.newest(7, {"locations": [HERE, HERE | {"speed": 1}, HERE | {"speed": 2}]}).speed == 2


@pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z"])
def test_a_time_at_the_end_of_the_calendar_can_be_compared(stamp: str) -> None:
    batch = [HERE | {"timestamp": stamp}, HERE]
    assert fixes.newest(7, {"locations": batch}).recorded_at.year >= 2026


BAD = [
    {"latitude": None},
    {"latitude": "25.03"},
    {"latitude": True},
    {"latitude": [25]},
    {"latitude": 90.0001},
    {"latitude": -91},
    {"latitude": 10**400},
    {"longitude": 180.5},
    {"longitude": json.loads("1e999")},
    {"longitude": float("nan")},
    {"speed": -1},
    {"speed": 301},
    {"speed": "fast"},
    {"heading": 361},
    {"heading": -0.1},
    {"accuracy": -1},
    {"accuracy": 100_001},
    {"timestamp": "yesterday"},
    {"timestamp": ""},
    {"timestamp": 1763800000},
    {"timestamp": "2026-11-22T10:00:00"},
    {"timestamp": "2026-13-22T10:00:00Z"},
]


@pytest.mark.parametrize("said", BAD, ids=str)
def test_what_is_no_position_is_refused(said: dict[str, Any]) -> None:
    for message in (HERE | said, {"locations": [HERE, HERE | said]}):
        with pytest.raises(Refusal) as refused:
            fixes.newest(7, message)
        assert refused.value.code == "invalid_message"
        assert next(iter(said)) in str(refused.value)


def test_a_time_in_the_future_is_refused() -> None:
    for stamp in (in_(seconds=90), "9999-12-31T23:59:59-23:59"):
        with pytest.raises(Refusal) as refused:
            fixes.newest(7, HERE | {"timestamp": stamp})
        assert refused.value.code == "invalid_time"


def test_a_clock_slightly_ahead_is_taken() -> None:
    assert fixes.newest(7, HERE | {"timestamp": in_(seconds=30)}).latitude == HERE["latitude"]


@pytest.mark.parametrize("batch", [[], [HERE] * 101, {}, None, "x", [1], [None]], ids=lambda batch: str(batch)[:10])
def test_what_is_no_batch_is_refused(batch: Any) -> None:
    with pytest.raises(Refusal):
        fixes.newest(7, {"locations": batch})
