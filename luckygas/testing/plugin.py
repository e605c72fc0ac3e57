"""A pytest plugin, loaded before pytest-django reads the settings (`addopts = -p luckygas.testing.plugin`).

With TEST_ON=servers it starts PostgreSQL and Redis for the run and names them in the environment; otherwise the run is
on SQLite and the in-memory layer. Where a server cannot be had the run fails: nothing is skipped.
"""

from __future__ import annotations

import atexit
import os
import tempfile

import pytest

from luckygas.testing.servers import Postgres, Redis, Server, Unavailable

# The tests do not depend on what the developer's shell happens to say.
for name in (
    "DATABASE_URL",
    "REDIS_URL",
    "SMS_GATEWAY",
    "SMS_PROVIDER_URL",
    "SMS_API_KEY",
    "MONITORING_TOKEN",
    "DEBUG",
):
    os.environ.pop(name, None)
os.environ["SMS_GATEWAY"] = "memory"
os.environ["SECRET_KEY"] = "the-tests-own-key-" + "x" * 40


def start(server: Server) -> None:
    atexit.register(server.stop)
    try:
        server.start()
    except Unavailable as error:
        raise pytest.UsageError(str(error)) from error


def prepare() -> None:
    if os.environ.get("TEST_ON", "sqlite") != "servers":
        os.environ["TEST_SQLITE"] = tempfile.mkdtemp(prefix="luckygas-") + "/test.sqlite3"
        return
    postgres, redis = Postgres(), Redis()
    start(postgres)
    start(redis)
    os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = postgres.url, redis.url


prepare()
