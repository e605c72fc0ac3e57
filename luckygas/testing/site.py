"""The site as users meet it: a real server process on the tests' database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from django.db import connection

from luckygas.testing.forked import Forked
from luckygas.testing.servers import Server

ROOT = Path(__file__).resolve().parents[2]


def database_url() -> str:
    """The URL of the database the test at hand uses, for another process."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    return f"postgres://{settings['USER']}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"


def environment(**extra: str) -> dict[str, str]:
    """For a process of the product beside the test: the same database and Redis."""
    own = {"DATABASE_URL": database_url(), "PYTHONPATH": str(ROOT)}
    # As in production; the tests' own connections wait for longer.
    limits = {"DATABASE_LOCK_SECONDS": "5", "DATABASE_IDLE_SECONDS": "10"}
    return os.environ | own | limits | extra


def manage(*arguments: str, **extra: str) -> None:
    """A management command in a process of its own."""
    subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment(**extra), check=True, timeout=100
    )


# `python -m …`, as docs/operations.md says to start them; the second is what production runs on.
COMMANDS = {
    "daphne": ["daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}", "{application}"],
    "uvicorn": [
        "uvicorn", "{application}", "--ws", "realtime.uvicorn_protocols:FrameProtocol",
        "--http", "realtime.uvicorn_protocols:HttpProtocol",
        "--lifespan", "off", "--no-access-log", "--host", "127.0.0.1", "--port", "{port}",
    ],
}  # fmt: skip


class Site(Server):
    """A running site. `url` is its root, `ws` the same for sockets."""

    def __init__(self, server: str = "daphne", application: str = "luckygas.asgi:application", **extra: str) -> None:
        super().__init__()
        self.server = server
        self.application = application
        self.extra = extra

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}/api/v1/websocket/ws"

    def command(self) -> list[str]:
        filled = (part.format(port=self.port, application=self.application) for part in COMMANDS[self.server])
        return [sys.executable, "-m", *filled]

    def launch(self) -> None:
        if "WEB_CONCURRENCY" in self.extra:  # uvicorn starts its workers itself, as a process of its own can
            super().launch()
        else:
            self.process = Forked(self.command()[2:], self.environment(), self.log, usual=not self.extra)

    def environment(self) -> dict[str, str]:
        return environment(**self.extra)
