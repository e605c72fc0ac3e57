"""Ten thousand sockets that stay open on one process, with heartbeats."""

from __future__ import annotations

import time

from bench import product
from bench.context import Bench
from bench.load import Load

NAME = "Lucky Gas"


def run(bench: Bench) -> None:
    size = bench.size
    with bench.product() as server:
        with Load(server, product.paths(20), "-w"):
            before = server.memory()
        with Load(server, product.paths(size.idle_sockets), "-w", "-b", str(size.heartbeat)) as load:
            bench.add("idle", NAME, "time to connect all", load.ready.started / 1e9, "s")
            cpu, start = server.cpu_seconds(), time.monotonic()
            time.sleep(size.idle_seconds)
            used, counts = (server.cpu_seconds() - cpu) / (time.monotonic() - start), load.command("stats")
            bench.add("idle", NAME, "open sockets", counts.open_now, "", f"{counts.closed} closed")
            bench.add("idle", NAME, "heartbeats answered", counts.frames - size.idle_sockets, "")
            bench.add("idle", NAME, "CPU core used", used * 100, "%")
            bench.add("idle", NAME, "memory per socket", (server.memory() - before) * 1024 / size.idle_sockets, "KB")
