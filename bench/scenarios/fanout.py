"""CPU time of the server for each delivered event: in a burst, and one event at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from bench.context import Bench
from bench.load import Load, NotOpened
from bench.processes import Pinned
from bench.senders import Sender, publish_steadily

# The slowest peer needs this long to subscribe its sockets with Redis.
SETTLE_SECONDS = 0.3
BURST, ONE, CPU = "burst", "one at a time", "CPU per delivery"


def run(bench: Bench) -> None:
    for target in bench.targets():
        try:
            if problem := target.missing():
                raise NotOpened(problem)
            paths = target.paths(bench.size.sockets)
            with bench.running(target) as server, Load(server, paths, *target.options) as load:
                for feed, sender in target.feeds.items():
                    _measure(bench, target.label(feed), server, load, sender(server))
        except NotOpened as problem:
            for scenario in (BURST, ONE):
                bench.add(scenario, target.name, CPU, None, "µs", str(problem))


def _measure(bench: Bench, name: str, server: Pinned, load: Load, sender: Sender) -> None:
    size = bench.size
    time.sleep(SETTLE_SECONDS)
    _round(server, load, lambda: sender.publish(size.events // 4), size.events // 4 * size.sockets)  # warms up
    _burst(bench, name, server, load, sender)
    events = size.events
    cpu, lost, _ = _round(server, load, lambda: publish_steadily(sender, events, size.interval), events * size.sockets)
    bench.add(ONE, name, CPU, cpu, "µs", lost)
    sender.close()


def _burst(bench: Bench, name: str, server: Pinned, load: Load, sender: Sender) -> None:
    size, rounds, start = bench.size, list[tuple[float, str, float]](), time.monotonic()
    while len(rounds) < size.rounds and (not rounds or time.monotonic() - start < size.round_seconds):
        rounds.append(_round(server, load, lambda: sender.publish(size.events), size.events * size.sockets))
    note = next((note for _, note, _ in rounds if note), "")
    bench.add(BURST, name, CPU, median(cpu for cpu, _, _ in rounds), "µs", note)
    bench.add(BURST, name, "deliveries", median(speed for _, _, speed in rounds), "per second")


def _round(server: Pinned, load: Load, send: Callable[[], None], expected: int) -> tuple[float, str, float]:
    """Returns µs of CPU per delivery, a note about lost events, and deliveries per second of wall time."""
    load.reset()
    start, cpu = time.monotonic_ns(), server.cpu_seconds()
    send()
    counts = load.wait(expected)
    used = server.cpu_seconds() - cpu
    lost = "" if counts.received == expected else f"{expected - counts.received:,} of {expected:,} lost"
    speed = counts.received / max(counts.last_ns - start, 1) * 1e9
    return used / max(counts.received, 1) * 1e6, lost, speed
