"""Starts sites fast, by forking processes that have already imported their modules.

There are two fork servers of multiprocessing. One has imported the whole site with the usual settings. The other has
only imported libraries; a site that is forked from it imports the rest with its own environment.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from multiprocessing.forkserver import ForkServer
from pathlib import Path
from unittest import mock

from luckygas.testing.servers import die_with_parent

# Importing these neither reads Django's settings nor creates an event loop or Twisted's reactor (daphne does). Forked
# processes would share such a loop and wake each other.
LIBRARIES = [
    "twisted.web.http", "autobahn.twisted.websocket", "service_identity", "uvicorn.main",
    "uvicorn.protocols.http.httptools_impl", "uvloop", "PIL.Image",
    "channels.layers", "channels.routing", "channels_redis.pubsub", "redis.asyncio", "psycopg", "psycopg_pool",
    "django.contrib.admin", "django.contrib.admin.views.main", "django.core.handlers.asgi", "django.db.models",
    "django.core.management", "django_filters", "rest_framework.serializers", "rest_framework.fields", "requests",
    "phonenumbers", "environ", "jwt", "csp.middleware", "yaml", "inflection", "uritemplate", "jsonschema",
]  # fmt: skip
multiprocessing.get_context("forkserver").set_forkserver_preload(LIBRARIES)
# Variables that differ from test to test and that no site reads.
IGNORED_VARIABLES = {"PYTEST_CURRENT_TEST"}


class WholeSite:
    """The fork server that has imported the whole site. It gets the environment of the first site."""

    def __init__(self) -> None:
        self._server = ForkServer()
        self._server.set_forkserver_preload([*LIBRARIES, "luckygas.testing.whole_site"])
        self._environment: dict[str, str] | None = None

    def has_environment(self, environment: dict[str, str]) -> bool:
        """Whether the fork server runs with this environment. The first call starts it with the given one."""
        wanted = {name: value for name, value in environment.items() if name not in IGNORED_VARIABLES}
        if self._environment is None:
            self._environment = wanted
            with mock.patch.dict(os.environ, wanted, clear=True):
                self._server.ensure_running()
        return self._environment == wanted

    def start(self, process: ForkServerProcess) -> None:
        # multiprocessing itself supports one fork server only.
        with mock.patch.object(forkserver, "connect_to_new_process", self._server.connect_to_new_process):
            process.start()


whole_site = WholeSite()
# Sites are started from several threads.
one_at_a_time = threading.Lock()


class Forked:
    """Like subprocess.Popen, with the methods that servers use. `usual`: the site has no variables of its own."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path, *, usual: bool) -> None:
        self.args = arguments
        # As a daemon it ends with its parent at the latest, and the parent does not wait for it.
        self.process = ForkServerProcess(target=serve, args=(arguments, environment, log), daemon=True)
        with one_at_a_time:
            if usual and whole_site.has_environment(environment):
                whole_site.start(self.process)
            else:
                self.process.start()
        assert self.process.pid is not None
        self.pid = self.process.pid

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def serve(arguments: list[str], environment: dict[str, str], log: Path) -> None:
    """Runs in the child process: does the same as `python -m …` in this environment, with its output in `log`."""
    os.setpgid(0, 0)
    die_with_parent()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with log.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir("/")
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, environment["PYTHONPATH"])
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
