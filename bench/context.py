"""The context of every scenario: the size of the run, PostgreSQL and Redis, and the collected figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.figures import Collected, Figure, Size
from bench.processes import Pinned
from bench.targets import FRAMES, Target, peers, product_command, products
from luckygas.testing.servers import Postgres, Redis


@dataclass
class Bench:
    size: Size
    postgres: Postgres
    redis: Redis
    collected: Collected = field(default_factory=Collected)
    only: str = ""
    protocol: str = FRAMES

    def add(self, scenario: str, server: str, name: str, value: float | None, unit: str, note: str = "") -> None:
        self.collected.add(Figure(scenario, server, name, value, unit, note))

    def targets(self) -> Iterator[Target]:
        """The product and the peers: those whose name contains `only`, ignoring case. Quick runs skip variants."""
        for target in [*products(self.protocol), *peers(self.redis.url)]:
            wanted = self.only.lower() in target.name.lower()
            if wanted and (self.size.all_peers or not target.variant):
                yield target

    @contextmanager
    def running(self, target: Target) -> Iterator[Pinned]:
        server = Pinned(target.command, target.environment)
        try:
            server.start()
            yield server
        finally:
            server.stop()

    @contextmanager
    def product(self, **environment: str) -> Iterator[Pinned]:
        """Runs the product in one process, with production's options."""
        server = Pinned(product_command(self.protocol), environment)
        try:
            server.start()
            yield server
        finally:
            server.stop()
