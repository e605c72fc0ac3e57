from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation

from health.verdict import faults
from web import flags

WELL: dict[str, Any] = {"status": "healthy", "ms": 1.0}
PROVIDER = {"name": "mitake", "status": "healthy", "reachable": True, "stopped_because": ""}
ANSWERS: dict[str, dict[str, Any]] = {
    "database": WELL,
    "migrations": WELL,
    "redis": WELL,
    "websocket": WELL | {
        "connections": 3, "hub_stuck": False, "bells_are_missed": False, "waiting_seconds": 0.0, "hub_lag_p99_ms": 12.0,
    },
    "notifications": WELL | {
        "pending": 0, "unknown": 0, "oldest_pending_seconds": 0.0, "success_rate_24h": 0.99, "sms_provider": PROVIDER,
        "sms_fallback": None,
    },
}  # fmt: skip
STOPPED = PROVIDER | {"status": "unhealthy", "stopped_because": "no credit"}
DOUBTED = PROVIDER | {"status": "degraded", "not_understood": "~: ?"}
AWAY = {"name": "http", "status": "unhealthy", "detail": "no answer within 3 s"}
DOWN = {"status": "unhealthy", "detail": "no answer within 1 s"}


@pytest.fixture(autouse=True)
def english() -> Any:
    with translation.override("en"):
        yield


def said(part: str = "database", failed: int = 0, **answer: Any) -> list[str]:
    found = faults(ANSWERS | {part: ANSWERS[part] | answer}, failed)
    assert all(fault.remedy for fault in found)
    return [fault.said for fault in found]


def test_where_everything_works_nothing_is_said() -> None:
    assert said() == []


@pytest.mark.parametrize(
    ("part", "answer", "words"),
    [
        ("migrations", {"status": "unhealthy"}, "not yet as this version needs it"),
        ("redis", {"status": "degraded"}, "Redis does not answer"),
        ("websocket", {"hub_stuck": True}, "no longer tells its screens"),
        ("websocket", {"waiting_seconds": 45.3}, "For 45 seconds no screen"),
        ("websocket", {"bells_are_missed": True}, "most of its messages do not arrive"),
        ("websocket", {"hub_lag_p99_ms": 2500.0}, "more than two seconds late"),
        ("notifications", {"sms_provider": STOPPED}, "SMS by mitake are stopped: no credit"),
        ("notifications", {"sms_provider": DOUBTED}, "The SMS provider mitake answers with an unknown code: ~: ?"),
        ("notifications", {"sms_fallback": AWAY}, "The SMS provider http cannot be reached."),
        ("notifications", {"oldest_pending_seconds": 601.0}, "has waited for 10 minutes"),
        ("notifications", {"unknown": 2}, "Of 2 SMS it is not known"),
        ("notifications", {"success_rate_24h": 0.9}, "90 % were taken; the goal is 95 %"),
    ],
)
def test_each_fault_is_one_sentence(part: str, answer: dict[str, Any], words: str) -> None:
    (found,) = said(part, **answer)
    assert words in found


@pytest.mark.parametrize("part", ["websocket", "notifications"])
def test_a_part_that_does_not_answer_is_said(part: str) -> None:
    (found,) = faults(ANSWERS | {part: DOWN}, 0)
    assert "cannot be read" in found.said


def test_what_follows_from_a_dead_database_is_not_said_as_well() -> None:
    (found,) = faults(dict.fromkeys(ANSWERS, DOWN), 7)
    assert (found.said, found.is_bad) == ("The database does not answer.", True)


def test_what_does_not_work_stands_before_what_is_worse_than_it_should_be() -> None:
    found = said("redis", failed=1, status="degraded")
    assert found == ["1 request failed in the last ten minutes.", "Redis does not answer."]


def test_what_is_switched_off_is_said_with_what_that_means() -> None:
    flags.forget()
    flags.remember(flags.Seen(1e18, frozenset({flags.SMS})))
    (fault,) = faults(ANSWERS, 0)
    assert fault.said == "“sms_notifications” is switched off."
    assert "they wait" in fault.remedy
