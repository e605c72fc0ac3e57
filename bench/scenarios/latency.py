"""Latency at a steady rate, from before the transaction of a change (peers: from the publish call) to the client."""

from __future__ import annotations

import time

from bench.context import Bench
from bench.load import Load
from bench.senders import paced
from bench.targets import Target


def run(bench: Bench) -> None:
    for target in bench.targets():
        if target.is_product or bench.size.peers_everywhere:
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
        begun, cpu, own = time.monotonic(), server.cpu_seconds(), load.ask("stats").cpu_seconds
        paced(sender, events, 1 / size.latency_rate)
        took, used = time.monotonic() - begun, server.cpu_seconds() - cpu
        expected = events * size.latency_sockets
        counts = load.wait(expected, quiet=2, most=20)
        sender.close()
    late = "" if counts.marks == expected else f"{expected - counts.marks:,} of {expected:,} not delivered in time"
    bench.add("latency", target.name, "p50", counts.p50_us / 1000, "ms", late)
    bench.add("latency", target.name, "p99", counts.p99_us / 1000, "ms")
    bench.add(
        "latency",
        target.name,
        "server's core",
        used / took * 100,
        "%",
        f"load client {(counts.cpu_seconds - own) / took:.0%}",
    )
    bench.add("latency", target.name, "events", events / took, "a second")
