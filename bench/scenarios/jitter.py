"""Clients lose their network again and again. Each resumes, and must miss no event."""

from __future__ import annotations

import time

from bench import product
from bench.context import Bench
from bench.load import Load
from bench.senders import publish_steadily

NAME = "Lucky Gas"


def run(bench: Bench) -> None:
    size = bench.size
    events = int(size.jitter_seconds)
    cuts = ["-c", str(size.jitter_life), "-d", str(size.jitter_down)]
    sender = product.OrderSender()
    with bench.product() as server, Load(server, product.paths(size.jitter_clients), "-w", "-k", *cuts) as load:
        load.reset()
        publish_steadily(sender, events, 1.0)
        time.sleep(size.jitter_down)
        counts = load.wait(events * size.jitter_clients, quiet=10)
    delivered = counts.received / (events * size.jitter_clients) * 100
    note = f"{counts.reconnects} cuts, {counts.duplicates} duplicates, {counts.unrecovered} failed resumes"
    bench.add("jitter", NAME, "delivered", delivered, "%", note)
    bench.add("jitter", NAME, "p99 delay", counts.p99_us / 1e6, "s")
    bench.add("jitter", NAME, "longest delay", counts.max_us / 1e6, "s")
    sender.close()
