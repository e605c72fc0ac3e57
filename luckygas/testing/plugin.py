"""A pytest plugin that loads before pytest-django reads the settings (`addopts = -p luckygas.testing.plugin`).

With TEST_ON=servers it starts PostgreSQL and Redis for the run. Otherwise the run uses SQLite and the in-memory layer.
If a server cannot start, the run fails; no test is skipped.

Tests with a database run on the servers, like production. The SQLite run holds tests without a database, and those
marked `sqlite`, which show that the product works on SQLite too (for the demo and development).
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from hypothesis import settings as examples

from luckygas.libraries import THROTTLE_RATES
from luckygas.testing.servers import Postgres, Redis, Server, Unavailable, running
from luckygas.testing.site import Site

pytest_plugins = ["luckygas.testing.browser", "luckygas.testing.database_reset", "luckygas.testing.leaks"]
SETTINGS = Path(__file__).resolve().parents[1] / "settings.py"
# All variables that the settings read. They are removed, so that the developer's shell does not change the tests.
VARIABLES = re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', SETTINGS.read_text())
OWN = {"SMS_GATEWAY": "memory", "SECRET_KEY": "the-tests-own-key-" + "x" * 40}
# No quiet hours, so that the time of day does not change the tests.
OWN["SMS_QUIET_HOURS"] = ""
# A test's transaction stays open while other processes work. On a busy machine this takes up to a minute.
OWN["DATABASE_IDLE_SECONDS"] = "120"
# Threads of one test wait for each other's locks. A thread may hold a lock while it renders the first page of the
# process, which is slow.
OWN["DATABASE_LOCK_SECONDS"] = "50"
# No throttles, so that requests of earlier tests do not count. Tests of throttles set rates with the fixture `rates`.
OWN["THROTTLE_RATES"] = ",".join(f"{scope}=" for scope in THROTTLE_RATES)
# A test with one of these fixtures uses the database.
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup"}


# The same examples in every run. `--hypothesis-profile default` searches for new ones.
examples.register_profile("repeatable", derandomize=True, deadline=None)
examples.load_profile("repeatable")

# Few iterations: hashing is slow on purpose, and tests set passwords and sign in often.
PBKDF2PasswordHasher.iterations = 1000


def start(server: Server) -> None:
    atexit.register(server.stop)
    try:
        server.start()
    except Unavailable as error:
        raise pytest.UsageError(str(error)) from error


def run_name() -> str:
    """Returns the value of TEST_ON: "sqlite" (the default), "servers" or "browser"."""
    return os.environ.get("TEST_ON", "sqlite")


def is_on_servers() -> bool:
    return run_name() == "servers"


def prepare_worker() -> None:
    """With TEST_ON=servers, starts a Redis for this worker alone, so that it gets no wake-up messages of other workers.

    The main process has prepared everything else.
    """
    if is_on_servers():
        redis = Redis()
        start(redis)
        os.environ["REDIS_URL"] = redis.url


def prepare() -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        prepare_worker()
        return
    for name in VARIABLES:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    os.environ.update(OWN)
    os.environ["MEDIA_ROOT"] = media = tempfile.mkdtemp(prefix="luckygas-")
    atexit.register(shutil.rmtree, media, ignore_errors=True)
    if not is_on_servers():
        directory = tempfile.mkdtemp(prefix="luckygas-")
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        os.environ["TEST_SQLITE"] = f"{directory}/test.sqlite3"
        return
    postgres, redis = Postgres(), Redis()
    start(postgres)
    start(redis)
    os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = postgres.url, redis.url


prepare()


def pytest_unconfigure(config: pytest.Config) -> None:
    # Daemon threads may log after pytest closed the streams. Without this, logging would print a traceback.
    logging.raiseExceptions = False


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """With TEST_ON=browser, skips files without browser tests: importing them would double the time per worker."""
    is_other = run_name() == "browser" and collection_path.match("test_*.py") and not mentions_browser(collection_path)
    return is_other or None


def mentions_browser(path: Path) -> bool:
    """Whether the file may hold browser tests. Those import a module with “browser” in its name."""
    return "browser" in path.read_text()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects tests of the other runs. Browser tests get the event loop of the session."""
    run = run_name()
    assert [item.nodeid for item in items if in_browser(item) and not mentions_browser(item.path)] == []
    left_out = [item for item in items if run not in runs(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if run in runs(item)]
    for item in items:
        if in_browser(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def runs(item: pytest.Item) -> set[str]:
    """Returns the values of TEST_ON with which the test runs. Long tests outside the browser need the servers."""
    if in_browser(item):
        return {"browser"}
    if has_marker(item, "servers") or has_marker(item, "long"):
        return {"servers"}
    if uses_database(item):
        return {"servers", "sqlite"} if has_marker(item, "sqlite") else {"servers"}
    return {"sqlite"}


def in_browser(item: pytest.Item) -> bool:
    """Whether the test belongs to TEST_ON=browser, which uses SQLite."""
    return "chromium" in getattr(item, "fixturenames", ())


def uses_database(item: pytest.Item) -> bool:
    return has_marker(item, "django_db") or not DATABASE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def has_marker(item: pytest.Item, name: str) -> bool:
    return item.get_closest_marker(name) is not None


@pytest.fixture
def site(transactional_db: None) -> Iterator[Site]:
    """A running site on the test's database, on production's server (uvicorn). Stops after the test."""
    with running(Site("uvicorn")) as server:
        yield server


@pytest.fixture(params=["daphne", "uvicorn"])
def either_site(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[Site]:
    """Like `site`, on each of the two servers (`runserver` uses daphne)."""
    with running(Site(request.param)) as server:
        yield server
