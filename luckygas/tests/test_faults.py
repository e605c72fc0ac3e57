"""Despite faults every commit is published once, in order and in time."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from random import Random
from statistics import median
from typing import Any

import psycopg
import pytest
import requests

from luckygas.testing.cluster import running
from luckygas.testing.site import ROOT, environment
from luckygas.testing.waiting import wait_for
from luckygas.tests.faults import FAULTS, WRITER, Scene, wait_for_readiness
from luckygas.tests.follower import Follower

pytestmark = [pytest.mark.long, pytest.mark.servers]
SEED, ROUNDS = int(os.environ.get("FAULT_SEED", "1")), int(os.environ.get("FAULT_ROUNDS", "1"))
KINDS = ["uvicorn", "uvicorn", "daphne"]
# The longest allowed delay of an event after its commit, or after the client's reconnection.
LONGEST_DELAY_SECONDS = 2.0
# How long the pool may take to reconnect after PostgreSQL is back.
POOL_SECONDS = 2.0
QUIET_SECONDS = 10
# Within RESUBSCRIBE_SECONDS after the last fault hubs subscribe to Redis again. Then delays are measured for at least
# MEASURE_SECONDS. Their median must be below MEDIAN_DELAY_SECONDS, because wake-up messages make polling unnecessary.
RESUBSCRIBE_SECONDS, MEASURE_SECONDS = 1.5, 1.5
MEDIAN_DELAY_SECONDS = 0.25
# How many orders the writer moves in turn. REST callers change the others.
WRITTEN_ORDERS = 3


@pytest.fixture
def scene() -> Iterator[tuple[Scene, dict[str, Any]]]:
    with running(KINDS) as cluster:
        prepare = subprocess.run(
            [*WRITER, "prepare", "4"], cwd=ROOT, env=environment(**cluster.environment), check=True, capture_output=True
        )
        prepared = json.loads(prepare.stdout)
        yield Scene(cluster, prepared["offices"].pop(), Random(SEED)), prepared


class Caller:
    """Changes orders over REST on the servers in turn. `codes`: the HTTP statuses."""

    def __init__(self, scene: Scene, orders: Sequence[int]) -> None:
        self.codes: set[int] = set()
        self._targets = cycle([(site.url, pk) for pk in orders for site in scene.cluster.sites])
        self._priorities = cycle(["urgent", "urgent", "urgent", "normal", "normal", "normal"])
        self._headers = {"Authorization": f"Bearer {scene.token}"}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stopped.wait(0.05):
            url, pk = next(self._targets)
            body = {"priority": next(self._priorities)}
            try:
                answer = requests.patch(
                    f"{url}/api/v1/orders/{pk}/", json=body, headers=self._headers, timeout=QUIET_SECONDS
                )
            except requests.RequestException:  # that server is down
                continue
            self.codes.add(answer.status_code)

    @contextmanager
    def calling(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            self._thread.join()


def run_faults(scene: Scene, orders: Sequence[int]) -> set[int]:
    """Runs all faults in random order and timing while orders change. Returns the statuses of the REST requests."""
    caller = Caller(scene, orders)
    scene.write()
    try:
        with caller.calling():
            wait_for_readiness(scene, 200, "degraded")
            scene.cluster.redis.start()
            wait_for_readiness(scene, 200, "healthy")
            for _ in range(ROUNDS):
                for fault in scene.chance.sample(FAULTS, len(FAULTS)):
                    began = time.strftime("%H:%M:%S")
                    with fault(scene):
                        time.sleep(scene.chance.uniform(0.1, 1.2))
                    print(began, fault.__name__, time.strftime("%H:%M:%S"))
                    time.sleep(scene.chance.uniform(0.1, 0.6))
        # From here on only the writer changes orders. It has no hub, so its wake-up messages come through Redis.
        time.sleep(RESUBSCRIBE_SECONDS)
        scene.calm = time.time()
        time.sleep(MEASURE_SECONDS)
        wait_for(lambda: count_moved(scene, scene.calm) == WRITTEN_ORDERS)
    finally:
        scene.stop_writing()
    return caller.codes


def count_moved(scene: Scene, calm: float) -> int:
    """Counts the orders that the writer moved after `calm`. The test waits for all of them."""
    with psycopg.connect(scene.cluster.postgres.url) as database:
        moved = "SELECT count(DISTINCT data->'order_id') FROM realtime_event"
        row = database.execute(f"{moved} WHERE type = 'delivery.update' AND created_at > to_timestamp(%s)", [calm])
        return int((row.fetchone() or (0,))[0])


def events(scene: Scene) -> list[dict[str, Any]]:
    """Returns the whole log once all changes have an event id."""
    with psycopg.connect(scene.cluster.postgres.url, row_factory=psycopg.rows.dict_row) as database:
        database.autocommit = True
        wait_for(
            lambda: not database.execute("SELECT 1 FROM realtime_outbox LIMIT 1").fetchone(), LONGEST_DELAY_SECONDS
        )
        return database.execute("SELECT * FROM realtime_event ORDER BY seq").fetchall()


def versions(scene: Scene) -> dict[int, int]:
    with psycopg.connect(scene.cluster.postgres.url) as database:
        return dict(database.execute("SELECT id, version FROM orders_order").fetchall())


def check_log(log: Sequence[dict[str, Any]], committed: dict[int, int]) -> None:
    """Checks that ids have no gap, and that the log has every version of every order once, in order."""
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
    versions_by_order: dict[int, list[int]] = {}
    for event in log:
        if (
            event["type"] in ("order.created", "order.updated", "order.status_changed")
            and "orders" in event["channels"]
        ):
            versions_by_order.setdefault(event["data"]["order_id"], []).append(event["data"]["version"])
    assert versions_by_order == {pk: list(range(1, version + 1)) for pk, version in committed.items()}


def expected_ids(log: Sequence[dict[str, Any]], follower: Follower) -> list[int]:
    mine = (event for event in log if not follower.channels.isdisjoint(event["channels"]))
    return [event["seq"] for event in mine if event["seq"] > follower.first]


def median_delay(log: Sequence[dict[str, Any]], follower: Follower, calm: float) -> float:
    """Returns the median delay in seconds of changes that were made after `calm` (Unix seconds)."""
    written = ((arrival.at, log[arrival.id - 1]["created_at"].timestamp()) for arrival in follower.arrivals)
    return float(median(at - moment for at, moment in written if moment > calm))


def longest_delay(log: Sequence[dict[str, Any]], follower: Follower, returned: Sequence[float]) -> float:
    """Returns the longest delay in seconds.

    It counts from the commit, or from a later reconnection of the client or return of the database.
    """
    delays = [0.0]
    for arrival in follower.arrivals:
        written = log[arrival.id - 1]["created_at"].timestamp()
        database_ready = (
            max((moment for moment in returned if moment < arrival.at), default=-POOL_SECONDS) + POOL_SECONDS
        )
        # An outage of the database excuses only changes from before its end.
        counted_from = database_ready if written < database_ready else 0.0
        delays.append(arrival.at - max(written, arrival.connected, counted_from))
    return max(delays)


@pytest.mark.timeout(60 + 60 * ROUNDS)
async def test_commits_are_published_once_in_order_and_in_time_despite_faults(
    scene: tuple[Scene, dict[str, Any]],
) -> None:
    fault_scene, prepared = scene
    sites = [site.ws for site in fault_scene.cluster.sites]
    paths = [f"/office?token={token}" for token in prepared["offices"]]
    paths += [f"/driver?token={prepared['driver']}", f"?token={prepared['customer']}", f"/track/{prepared['link']}?x=1"]
    followers = [
        Follower(path.partition("?")[0], path, sites[place % 3 :] + sites[: place % 3])
        for place, path in enumerate(paths)
    ]
    tasks = [asyncio.create_task(follower.follow()) for follower in followers]
    await asyncio.gather(*(follower.connected.wait() for follower in followers))
    codes = await asyncio.to_thread(run_faults, fault_scene, prepared["orders"])
    log = await asyncio.to_thread(events, fault_scene)
    check_log(log, await asyncio.to_thread(versions, fault_scene))
    deadline = time.monotonic() + LONGEST_DELAY_SECONDS
    while time.monotonic() < deadline and any(
        len(follower.arrivals) < len(expected_ids(log, follower)) for follower in followers
    ):
        await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for follower in followers:
        assert [arrival.id for arrival in follower.arrivals] == expected_ids(log, follower), follower.name
    delays = [longest_delay(log, follower, fault_scene.returned) for follower in followers]
    medians = [median_delay(log, follower, fault_scene.calm) for follower in followers]
    print(
        f"{len(log)} events; the latest after {max(delays):.2f} s; {max(medians) * 1000:.0f} ms when all was well again"
    )
    assert [follower.lost for follower in followers] == [0] * len(followers)
    assert codes <= {200, 503}
    assert max(delays) < LONGEST_DELAY_SECONDS
    assert max(medians) < MEDIAN_DELAY_SECONDS
