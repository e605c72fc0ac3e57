"""Sites that need not import what all of them import: forked from a process that has done so, a second of CPU each.

That process is multiprocessing's fork server. It has no settings and no database: what belongs to one site is imported
by that site, with its own environment.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from luckygas.testing.servers import die_with_parent

# None of these reads Django's settings when it is imported, nor makes an event loop or Twisted's reactor (daphne does):
# two that are forked with one would wake each other.
PRELOADED = [
    "twisted.web.http", "autobahn.twisted.websocket", "service_identity", "uvicorn.main",
    "uvicorn.protocols.http.httptools_impl", "uvloop", "PIL.Image",
    "channels.layers", "channels.routing", "channels_redis.pubsub", "redis.asyncio", "psycopg", "psycopg_pool",
    "django.contrib.admin", "django.contrib.admin.views.main", "django.core.handlers.asgi", "django.db.models",
    "django.core.management", "django_filters", "rest_framework.serializers", "rest_framework.fields", "requests",
    "phonenumbers", "environ", "jwt", "csp.middleware", "yaml", "inflection", "uritemplate", "jsonschema",
]  # fmt: skip
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(PRELOADED)


class Forked:
    """As subprocess.Popen, as far as servers are asked."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.args = arguments
        # Ended at the latest with who started it; a daemon is not waited for then.
        self.process = ForkServerProcess(target=serve, args=(arguments, environment, log), daemon=True)
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
    """In the child: what `python -m …` does in this environment."""
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
