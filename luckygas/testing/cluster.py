"""Several sites on a PostgreSQL and a Redis of their own, which tests may kill, freeze and disconnect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from luckygas.testing.half_open_proxy import HalfOpenProxy
from luckygas.testing.servers import KILLABLE, Postgres, Redis, Server
from luckygas.testing.site import Site, manage

MONITOR = "the-monitors-own-token"


class Cluster:
    """PostgreSQL, Redis, and one site for each of `kinds` (“daphne” or “uvicorn”).

    The sites reach `redis` through `redis_proxy`. So a test can break the connections while Redis runs.
    """

    def __init__(self, kinds: list[str]) -> None:
        self.postgres, self.redis = Postgres(KILLABLE), Redis()
        self.redis_proxy = HalfOpenProxy(self.redis)
        self._kinds = kinds
        self.sites: list[Site] = []

    @property
    def environment(self) -> dict[str, str]:
        redis = f"redis://127.0.0.1:{self.redis_proxy.port}/0"
        # No overrides, so production's throttle rates apply.
        own = {"MONITORING_TOKEN": MONITOR, "THROTTLE_RATES": ""}
        return {"DATABASE_URL": self.postgres.url, "REDIS_URL": redis} | own

    def start(self) -> None:
        """Starts everything except Redis, which a test starts itself."""
        self.postgres.start()
        self.redis_proxy.start()
        manage("migrate", "--verbosity", "0", **self.environment)
        self.sites = [Site(kind, **self.environment) for kind in self._kinds]
        for site in self.sites:
            site.launch()
        for site in self.sites:
            site.wait()

    def stop(self) -> None:
        servers: list[Server] = [*self.sites, self.redis_proxy, self.redis, self.postgres]
        for server in servers:
            if server.process is not None:
                server.kill()
            server.stop()


@contextmanager
def running(kinds: list[str]) -> Iterator[Cluster]:
    cluster = Cluster(kinds)
    try:
        cluster.start()
        yield cluster
    finally:
        for site in cluster.sites:
            print(site.url, site.log.read_text(errors="replace")[-3000:])
        cluster.stop()
