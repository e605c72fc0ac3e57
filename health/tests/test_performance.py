from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from orders.tests.api.client import codes, make_api
from orders.tests.factories import make_order
from web import flags, models, timings
from web.flags import Seen
from web.models import ProcessFigures

pytestmark = pytest.mark.django_db
PATHS = ["performance/", "performance/cache-stats/"]


def other_process(**figures: Any) -> None:
    whole = {"operations": {}, "caches": {}} | figures
    ProcessFigures.objects.create(instance="another:1:x", written_at=timezone.now(), figures=whole)


@pytest.mark.parametrize("role", ["driver", "customer", "anonymous"])
def test_they_are_for_the_office(role: str) -> None:
    api = make_api(role)
    refused = {api.get(path).status_code for path in PATHS} | {api.post("performance/cache-clear/").status_code}
    assert refused == ({401} if role == "anonymous" else {403})


def test_operations_of_all_processes_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timings, "recorder", timings.Recorder())
    for ms in (1, 2, 3):
        timings.recorder.took("a", ms / 1000)
    other_process(
        operations={"a": {"total_ms": 4.0, "buckets": {"25": 1}}, "b": {"total_ms": 1.0, "buckets": {"0": 1}}}
    )
    body = make_api("office").get("performance/").json()
    assert (body["measuring"], body["processes"]) == (True, 2)
    found = {row["operation"]: row for row in body["operations"]}
    assert (found["a"]["count"], found["a"]["total_ms"], found["a"]["mean_ms"]) == (4, 10.0, 2.5)
    assert 1 < found["a"]["p50_ms"] < found["a"]["p95_ms"] < 5
    assert found["b"]["count"] == 1


def test_rows_of_the_dead_do_not_count() -> None:
    other_process(caches={"products": {"hits": 5}})
    ProcessFigures.objects.update(written_at=timezone.now() - models.DEAD)
    assert make_api("office").get("performance/").json()["processes"] == 1


def test_queries_are_timed_and_not_while_it_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    api = make_api("office")
    monkeypatch.setattr(timings, "recorder", timings.Recorder())
    flags._seen = Seen(at=float("inf"), off=frozenset({flags.PERFORMANCE}))
    body = api.get("performance/").json()
    assert (body["measuring"], body["operations"]) == (False, [])
    flags._seen = Seen(at=float("inf"))
    (sql,) = api.get("performance/").json()["operations"]
    assert (sql["operation"], sql["count"] > 0) == ("sql", True)


def test_hits_and_misses_of_each_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timings, "recorder", timings.Recorder())
    timings.looked_up("statistics", found=False)
    other_process(caches={"statistics": {"hits": 3}})
    rows = make_api("office").get("performance/cache-stats/").json()["caches"]
    row = next(row for row in rows if row["cache"] == "statistics")
    assert (row["hits"], row["misses"], row["hit_rate"]) == (3, 1, 0.75)


@pytest.mark.servers
def test_clearing_by_pattern_takes_nothing_else() -> None:
    from web.caching import shared_cache

    shared, api = shared_cache(), make_api("office")
    assert shared is not None
    shared.clear()
    for name in ("answer:statistics:e:1:a", "answer:statistics:e:2:a", "answer:others:e:1:a", "throttle:office:1:2"):
        shared.set(name, {})
    shared._cache.get_client().set("somebody-elses", 1)
    sizes = {row["cache"]: row["size"] for row in api.get("performance/cache-stats/").json()["caches"]}
    assert sizes == {"statistics": 2}
    assert api.post("performance/cache-clear/", {"pattern": "statistics:*"}).json() == {"cleared": 2}
    assert shared.get("answer:others:e:1:a") == {}
    assert api.post("performance/cache-clear/").json() == {"cleared": 1}
    assert shared.get("throttle:office:1:2") == {}
    assert shared._cache.get_client().get("somebody-elses") == b"1"


@pytest.mark.parametrize("pattern", ["", "x" * 101, "[a-z]", "a b", "\\", None])
def test_a_pattern_that_is_none_is_refused(pattern: Any) -> None:
    answer = make_api("office").post("performance/cache-clear/", {"pattern": pattern})
    assert answer.status_code == 400
    assert codes(answer)[0][1] == "pattern"


def test_a_move_is_timed_whoever_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timings, "recorder", recorder := timings.Recorder())
    order = make_order()
    make_api("office").patch(f"orders/{order.pk}/status/", {"status": "confirmed"})
    order.refresh_from_db()
    order.transition_to("cancelled", reason="改日")
    (move,) = (row for row in timings.operations([recorder.figures()]) if row["operation"] == "move")
    assert move["count"] == 2
