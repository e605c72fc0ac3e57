from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from realtime import positions
from web.refusals import Refusal

TAIPEI = ZoneInfo("Asia/Taipei")
HERE = {"latitude": 25.0330, "longitude": 121.5654}


def in_(**delta: float) -> str:
    return (timezone.now() + timedelta(**delta)).isoformat()


def test_a_position_is_read_with_all_it_says() -> None:
    stamp = timezone.now() - timedelta(hours=1)
    location = positions.newest(
        7, HERE | {"speed": 30, "heading": 45.5, "accuracy": 10, "timestamp": stamp.astimezone(TAIPEI).isoformat()}
    )
    assert (location.driver_id, location.latitude, location.longitude) == (7, 25.0330, 121.5654)
    assert (location.speed, location.heading, location.accuracy) == (30, 45.5, 10)
    assert location.recorded_at == stamp


def test_a_position_without_a_time_is_of_now_and_needs_no_motion() -> None:
    location = positions.newest(7, HERE | {"speed": None})
    assert abs(timezone.now() - location.recorded_at) < timedelta(seconds=5)
    assert (location.speed, location.heading, location.accuracy) == (None, None, None)


def test_the_newest_of_a_batch_counts() -> None:
    minutes = [3, 1, 2]
    batch = [HERE | {"speed": ago, "timestamp": in_(minutes=-ago)} for ago in minutes]
    assert positions.newest(7, {"locations": batch}).speed == 1


def test_of_a_batch_without_times_the_last_counts() -> None:
    assert positions.newest(7, {"locations": [HERE, HERE | {"speed": 1}, HERE | {"speed": 2}]}).speed == 2


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
def test_what_is_no_position_is_refused_and_costs_no_other(said: dict[str, Any]) -> None:
    for message in (HERE | said, {"locations": [HERE | said, HERE | said]}):
        with pytest.raises(Refusal) as refused:
            positions.newest(7, message)
        assert refused.value.code == "invalid_message"
        assert next(iter(said)) in str(refused.value)
    for batch in ([HERE | {"accuracy": 1}, HERE | said], [HERE | said, HERE | {"accuracy": 1}, 1]):
        assert positions.newest(7, {"locations": batch}).accuracy == 1


IMPOSSIBLE = [
    pytest.param(in_(weeks=-1024), id="1024 weeks ago"), pytest.param(in_(days=365), id="in a year"),
    pytest.param(in_(hours=1), id="in an hour"), pytest.param(in_(minutes=20), id="in 20 minutes"),
    "2001-01-01T00:00:00Z", "1970-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59",
    # Microseconds taken for milliseconds, as JavaScript writes it.
    "+057862-08-14T07:33:20.000Z", "-271821-04-20T00:00:00.000Z",
]  # fmt: skip


@pytest.mark.parametrize("stamp", IMPOSSIBLE)
def test_a_position_whose_time_cannot_be_right_is_of_its_receipt(stamp: Any) -> None:
    before = timezone.now()
    for message in (
        HERE | {"timestamp": stamp},
        {"locations": [HERE | {"timestamp": in_(minutes=-5)}, HERE | {"timestamp": stamp}]},
    ):
        assert before <= positions.newest(7, message).recorded_at <= timezone.now()


def test_what_was_kept_without_a_signal_keeps_its_time() -> None:
    for delta in ({"seconds": -1}, {"hours": -13}, {"days": -29}):
        stamp = in_(**delta)
        assert positions.newest(7, HERE | {"timestamp": stamp}).recorded_at == datetime.fromisoformat(stamp)


@pytest.mark.parametrize("batch", [[], [HERE] * 101, {}, None, "x", [1], [None]], ids=lambda batch: str(batch)[:10])
def test_what_is_no_batch_is_refused(batch: Any) -> None:
    with pytest.raises(Refusal):
        positions.newest(7, {"locations": batch})
