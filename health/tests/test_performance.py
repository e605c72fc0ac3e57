from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from redis import Redis

from orders.tests.api.client import codes, make_api
from orders.tests.factories import make_order
from web import flags, metrics
from web.caching import shared_cache
from web.tests.metrics_rows import make_minute, reset_counts

pytestmark = pytest.mark.django_db
PATHS = ["performance/", "performance/cache-stats/"]


@pytest.fixture(autouse=True)
def _reset_counts(db: None) -> None:
    reset_counts()


@pytest.mark.parametrize("role", ["driver", "customer", "anonymous"])
def test_performance_is_for_the_office(role: str) -> None:
    api = make_api(role)
    refused = {api.get(path).status_code for path in PATHS} | {api.post("performance/cache-clear/").status_code}
    assert refused == ({401} if role == "anonymous" else {403})


def operation_counts(operation: str, milliseconds: list[int]) -> dict[str, float]:
    """The counts that another process would write for calls of these durations."""
    name = "luckygas_operation_seconds"
    found = {f"{name}_count {operation}": len(milliseconds), f"{name}_sum {operation}": sum(milliseconds) / 1000}
    bounds = {str(step): sum(ms <= step * 1000 for ms in milliseconds) for step in metrics.STEPS}
    return found | {f"{name}_bucket {operation} {bound}": count for bound, count in bounds.items()}


def test_operations_of_all_processes_are_summed() -> None:
    for ms in (1, 2, 3):
        metrics.OPERATIONS.labels("a").observe(ms / 1000)
    make_minute(timezone.now(), operation_counts("a", [4]) | operation_counts("b", [1]))
    make_minute(timezone.now() - timedelta(minutes=62), operation_counts("b", [1]))
    body = make_api("office").get("performance/").json()
    assert (body["measuring"], body["processes"]) == (True, 1)
    found = {row["operation"]: row for row in body["operations"]}
    assert (found["a"]["count"], found["a"]["total_ms"], found["a"]["mean_ms"]) == (4, 10.0, 2.5)
    assert (found["a"]["p50_ms"], found["a"]["p95_ms"]) == (2.0, 4.7)
    assert found["b"]["count"] == 1


def test_operation_without_duration_is_listed() -> None:
    counts = {name: count for name, count in operation_counts("a", [0]).items() if "_sum " not in name}
    make_minute(timezone.now(), counts)
    (row,) = (row for row in make_api("office").get("performance/").json()["operations"] if row["operation"] == "a")
    assert (row["count"], row["total_ms"]) == (1, 0)


def test_queries_are_timed_unless_switched_off(switch_off: Callable[..., None]) -> None:
    api = make_api("office")
    reset_counts()
    switch_off(flags.PERFORMANCE)
    reset_counts()
    body = api.get("performance/").json()
    assert (body["measuring"], [row["operation"] for row in body["operations"]]) == (False, [])
    switch_off()
    (sql,) = api.get("performance/").json()["operations"]
    assert (sql["operation"], sql["count"] > 0) == ("sql", True)


def test_hits_and_misses_are_counted_for_each_cache() -> None:
    metrics.MISSES.labels("statistics").inc()
    make_minute(timezone.now(), {"luckygas_cache_hits_total statistics": 3})
    rows = make_api("office").get("performance/cache-stats/").json()["caches"]
    row = next(row for row in rows if row["cache"] == "statistics")
    assert (row["hits"], row["misses"], row["hit_rate"]) == (3, 1, 0.75)


@pytest.mark.servers
def test_clearing_by_pattern_keeps_other_entries() -> None:
    shared, api = shared_cache(), make_api("office")
    assert shared is not None
    shared.clear()
    redis = Redis.from_url(settings.REDIS_URL)
    for name in ("answer:statistics:e:1:a", "answer:statistics:e:2:a", "answer:others:e:1:a", "throttle:office:1:2"):
        shared.set(name, {})
    redis.set("somebody-elses", 1)
    sizes = {row["cache"]: row["size"] for row in api.get("performance/cache-stats/").json()["caches"]}
    assert sizes == {"statistics": 2}
    assert api.post("performance/cache-clear/", {"pattern": "statistics:*"}).json() == {"cleared": 2}
    assert shared.get("answer:others:e:1:a") == {}
    assert api.post("performance/cache-clear/").json() == {"cleared": 1}
    assert shared.get("throttle:office:1:2") == {}
    assert redis.get("somebody-elses") == b"1"


@pytest.mark.parametrize("pattern", ["", "x" * 101, "[a-z]", "a b", "\\", None])
def test_invalid_pattern_is_refused(pattern: Any) -> None:
    answer = make_api("office").post("performance/cache-clear/", {"pattern": pattern})
    assert answer.status_code == 400
    assert codes(answer)[0][1] == "pattern"


def test_status_change_is_timed_for_every_caller() -> None:
    order, api = make_order(), make_api("office")
    api.patch(f"orders/{order.pk}/status/", {"status": "confirmed"})
    order.refresh_from_db()
    order.transition_to("cancelled", reason="改日")
    (move,) = (row for row in api.get("performance/").json()["operations"] if row["operation"] == "move")
    assert move["count"] == 2
