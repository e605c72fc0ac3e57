"""The server's memory for clients that do not read, and whether it closes them."""

from __future__ import annotations

from bench import product
from bench.context import Bench
from bench.load import Counts, Load
from bench.processes import Pinned

NAME = "Lucky Gas"
EVENT_BYTES = 4000
BURST = 200


def run(bench: Bench) -> None:
    sender = product.LogSender(EVENT_BYTES)
    with bench.product() as server, Load(server, product.paths(1), "-w") as reader:
        _publish(reader, sender, bench.size.slow_before)
        _measure(bench, server, reader, sender)
    sender.close()


def _publish(reader: Load, sender: product.LogSender, events: int) -> Counts:
    """Sends bursts, each after `reader` received the one before."""
    for sent in range(BURST, events + 1, BURST):
        sender.publish(BURST)
        counts = reader.wait(sent)
    return counts


def _measure(bench: Bench, server: Pinned, reader: Load, sender: product.LogSender) -> None:
    sockets = bench.size.slow_sockets
    before = server.memory()
    # A small receive buffer, so that data waits in the server.
    with Load(server, product.paths(sockets + 1)[1:], "-w", "-s", "-r", "4096") as slow:
        server.reset_peak()
        reader.reset()
        healthy = _publish(reader, sender, bench.size.slow_events)
        peak = server.memory("VmHWM")
        slow.command("read")
        counts = slow.wait(bench.size.slow_events * sockets, quiet=1)
    bench.add("slow reader", NAME, "memory per socket", (peak - before) / sockets, "MB")
    bench.add("slow reader", NAME, "sockets closed", counts.closed, "", f"of {sockets}, with code {counts.close_code}")
    bench.add("slow reader", NAME, "slowest event of a client that reads", healthy.max_us / 1000, "ms")
