"""Memory that clients cost which do not read, and that they are closed."""

from __future__ import annotations

from bench import product
from bench.context import Bench
from bench.load import Counts, Load
from bench.processes import Pinned

NAME = "Lucky Gas"
EVENT_BYTES = 4000
AT_ONCE = 200


def run(bench: Bench) -> None:
    sender = product.LogSender(EVENT_BYTES)
    with bench.product() as server, Load(server, product.paths(1), "-w") as reader:
        _publish(reader, sender, bench.size.deaf_before)
        _deaf(bench, server, reader, sender)
    sender.close()


def _publish(reader: Load, sender: product.LogSender, events: int) -> Counts:
    """Sends bursts, each after the reader received the one before."""
    for sent in range(AT_ONCE, events + 1, AT_ONCE):
        sender.publish(AT_ONCE)
        counts = reader.wait(sent)
    return counts


def _deaf(bench: Bench, server: Pinned, reader: Load, sender: product.LogSender) -> None:
    sockets = bench.size.deaf_sockets
    before = server.memory()
    # A small receive buffer, so that data waits in the server.
    with Load(server, product.paths(sockets + 1)[1:], "-w", "-s", "-r", "4096") as deaf:
        server.forget_peak()
        reader.reset()
        healthy = _publish(reader, sender, bench.size.deaf_events)
        peak = server.memory("VmHWM")
        deaf.ask("read")
        counts = deaf.wait(bench.size.deaf_events * sockets, quiet=1)
    bench.add("slow reader", NAME, "memory a socket", (peak - before) / sockets, "MB")
    bench.add("slow reader", NAME, "closed", counts.closed, "", f"of {sockets}, with code {counts.close_code}")
    bench.add("slow reader", NAME, "slowest event of a reader", healthy.max_us / 1000, "ms")
