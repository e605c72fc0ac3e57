"""A pytest plugin, loaded before pytest-django reads the settings (`addopts = -p luckygas.testing.plugin`).

With TEST_ON=servers it starts PostgreSQL and Redis for the run and names them in the environment; otherwise the run is
on SQLite and the in-memory layer. Where a server cannot be had the run fails: nothing is skipped.

What touches a database runs on the servers, as production does. SQLite is for the demo and for development: there runs
what needs no database, and again what is marked `sqlite`: it shows that the product works on SQLite too.
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

pytest_plugins = ["luckygas.testing.browser", "luckygas.testing.emptied", "luckygas.testing.leaks"]
SETTINGS = Path(__file__).resolve().parents[1] / "settings.py"
# The tests do not depend on what the developer's shell happens to say.
FORGOTTEN = re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', SETTINGS.read_text())
OWN = {"SMS_GATEWAY": "memory", "SECRET_KEY": "the-tests-own-key-" + "x" * 40}
# Nor on the hour at which they run.
OWN["SMS_QUIET_HOURS"] = ""
# A test's own transaction is open while other processes work, on a busy machine for a minute.
OWN["DATABASE_IDLE_SECONDS"] = "120"
# Threads of one test wait for each other, while each renders its first page.
OWN["DATABASE_LOCK_SECONDS"] = "50"
# Nor on how much the tests before have asked: those of limits set their own (`rates`).
OWN["THROTTLE_RATES"] = ",".join(f"{scope}=" for scope in THROTTLE_RATES)
# Who asks for one of these touches the database.
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup"}


# The same examples each time: what fails, fails for everybody. `--hypothesis-profile default` looks for others.
examples.register_profile("repeatable", derandomize=True, deadline=None)
examples.load_profile("repeatable")

# Slow on purpose, and paid for at each password that a test sets or signs in with.
PBKDF2PasswordHasher.iterations = 1000


def start(server: Server) -> None:
    atexit.register(server.stop)
    try:
        server.start()
    except Unavailable as error:
        raise pytest.UsageError(str(error)) from error


def test_on() -> str:
    return os.environ.get("TEST_ON", "sqlite")


def on_servers() -> bool:
    return test_on() == "servers"


def prepare_worker() -> None:
    """The run that started this worker has prepared all but this: nobody hears another worker's bells."""
    if on_servers():
        redis = Redis()
        start(redis)
        os.environ["REDIS_URL"] = redis.url


def prepare() -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        prepare_worker()
        return
    for name in FORGOTTEN:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    os.environ.update(OWN)
    os.environ["MEDIA_ROOT"] = media = tempfile.mkdtemp(prefix="luckygas-")
    atexit.register(shutil.rmtree, media, ignore_errors=True)
    if not on_servers():
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
    # A daemon thread that has a last word when the streams are closed already needs no page of traceback for it.
    logging.raiseExceptions = False


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Spares the browser's run the import of all other tests, which takes each worker as long as its own."""
    is_other = test_on() == "browser" and collection_path.match("test_*.py") and not names_browser(collection_path)
    return is_other or None


def names_browser(path: Path) -> bool:
    """Whether the file may hold a test in a browser: its page comes from a module whose name says so."""
    return "browser" in path.read_text()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what belongs to the other runs."""
    run = test_on()
    assert [item.nodeid for item in items if in_browser(item) and not names_browser(item.path)] == []
    left_out = [item for item in items if run not in runs(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if run in runs(item)]
    for item in items:
        if in_browser(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def runs(item: pytest.Item) -> set[str]:
    """The values of TEST_ON with which it runs. What is long needs no second look at a machine without servers."""
    if in_browser(item):
        return {"browser"}
    if marked(item, "servers") or marked(item, "long"):
        return {"servers"}
    if touches_database(item):
        return {"servers", "sqlite"} if marked(item, "sqlite") else {"servers"}
    return {"sqlite"}


def in_browser(item: pytest.Item) -> bool:
    """Those have a run of their own, TEST_ON=browser, on SQLite."""
    return "chromium" in getattr(item, "fixturenames", ())


def touches_database(item: pytest.Item) -> bool:
    return marked(item, "django_db") or not DATABASE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def marked(item: pytest.Item, name: str) -> bool:
    return item.get_closest_marker(name) is not None


@pytest.fixture
def site(transactional_db: None) -> Iterator[Site]:
    """The running site on the test's database, on the server of production; stopped after the test."""
    with running(Site("uvicorn")) as server:
        yield server


@pytest.fixture(params=["daphne", "uvicorn"])
def either_site(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[Site]:
    """As `site`, on each of the two servers (`runserver` is daphne): what a client sees is the same."""
    with running(Site(request.param)) as server:
        yield server
