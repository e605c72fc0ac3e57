"""Resident memory of the server for each idle socket that has received a few events."""

from __future__ import annotations

import time

from bench.context import Bench
from bench.load import Load
from bench.processes import Pinned
from bench.senders import publish_steadily
from bench.targets import Target

EVENTS = 10


def run(bench: Bench) -> None:
    for target in bench.targets():
        if problem := target.missing():
            bench.add("memory", target.name, "memory per socket", None, "KB", problem)
        elif bench.size.all_peers or target.is_product or target.is_stock:
            with bench.running(target) as server:
                bench.add("memory", target.name, "memory per socket", memory_per_socket(bench, server, target), "KB")


def memory_per_socket(bench: Bench, server: Pinned, target: Target) -> float:
    """KB for each of `memory_sockets` after the first few, whose memory includes one-time costs."""
    paths, few = target.paths(bench.size.memory_sockets), 20
    with Load(server, paths[:few], *target.options):
        before = server.memory()
        with Load(server, paths[few:], *target.options) as load:
            time.sleep(0.5)
            sender = target.sender(server)
            publish_steadily(sender, EVENTS, 0.02)
            load.wait(EVENTS * (len(paths) - few))
            sender.close()
            return (server.memory() - before) * 1024 / (len(paths) - few)
