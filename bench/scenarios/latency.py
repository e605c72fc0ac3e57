"""Latency at a steady rate, from before the transaction of a change (peers: from the publish call) to the client."""

from __future__ import annotations

import time

from bench.context import Bench
from bench.load import Load
from bench.senders import publish_steadily
from bench.targets import Target


def run(bench: Bench) -> None:
    for target in bench.targets():
        if target.is_product or bench.size.all_peers:
            if problem := target.missing():
                bench.add("latency", target.name, "p50", None, "ms", problem)
            else:
                _measure(bench, target)


def _measure(bench: Bench, target: Target) -> None:
    size = bench.size
    events = int(size.latency_rate * (size.latency_seconds if target.is_product else size.latency_seconds / 4))
    with bench.running(target) as server, Load(server, target.paths(size.latency_sockets), *target.options) as load:
        sender = target.sender(server)
        time.sleep(1)
        sender.publish(10)
        load.wait(10 * size.latency_sockets)
        load.reset()
        start, cpu, client_cpu = time.monotonic(), server.cpu_seconds(), load.command("stats").cpu_seconds
        publish_steadily(sender, events, 1 / size.latency_rate)
        elapsed, used = time.monotonic() - start, server.cpu_seconds() - cpu
        expected = events * size.latency_sockets
        counts = load.wait(expected, quiet=2, timeout=20)
        sender.close()
    late = (
        "" if counts.received == expected else f"{expected - counts.received:,} of {expected:,} not delivered in time"
    )
    bench.add("latency", target.name, "p50", counts.p50_us / 1000, "ms", late)
    bench.add("latency", target.name, "p99", counts.p99_us / 1000, "ms")
    bench.add(
        "latency",
        target.name,
        "CPU core used",
        used / elapsed * 100,
        "%",
        f"load client {(counts.cpu_seconds - client_cpu) / elapsed:.0%}",
    )
    bench.add("latency", target.name, "events", events / elapsed, "per second")
