"""Health checks over loopback, and the start time and idle memory of a process.

Their goals are what the older system promised.
"""

from __future__ import annotations

import time

from bench.callers import Caller, percentile
from bench.context import Bench
from bench.processes import Pinned
from bench.targets import PRODUCT, product_command
from luckygas.testing.servers import answers

HEALTH, REST = "health", "at rest"
PAUSE_SECONDS = 0.005


def run(bench: Bench) -> None:
    server = Pinned(product_command(bench.protocol), {})
    try:
        start = time.monotonic()
        server.launch()
        while not answers(server.port):
            time.sleep(0.01)
        caller = Caller(server.port)
        caller.call("GET", "/health/live")
        bench.add(REST, PRODUCT, "time to first response", time.monotonic() - start, "s")
        for name in ("live", "ready"):
            _measure(bench, caller, name)
        bench.add(REST, PRODUCT, "memory of a process", server.memory(), "MB")
        caller.close()
    finally:
        server.stop()


def _measure(bench: Bench, caller: Caller, name: str) -> None:
    """Calls once every few ms, because health checks do not come in bursts."""
    caller.call("GET", f"/health/{name}")
    times = []
    for _ in range(bench.size.health_calls):
        times.append(caller.milliseconds("GET", f"/health/{name}"))
        time.sleep(PAUSE_SECONDS)
    bench.add(HEALTH, PRODUCT, f"{name}, p50", percentile(times, 0.5), "ms")
    bench.add(HEALTH, PRODUCT, f"{name}, p99", percentile(times, 0.99), "ms")
