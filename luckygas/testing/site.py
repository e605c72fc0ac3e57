"""The site as a real server process on the test's database."""

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
    """Returns the URL of the current test's database, for another process."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    return f"postgres://{settings['USER']}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"


def environment(**extra: str) -> dict[str, str]:
    """Returns the environment for a process of the product on the test's database and Redis. `extra` overrides it."""
    own = {"DATABASE_URL": database_url(), "PYTHONPATH": str(ROOT)}
    # Production's limits. The tests' own connections have longer ones.
    limits = {"DATABASE_LOCK_SECONDS": "5", "DATABASE_IDLE_SECONDS": "10"}
    return os.environ | own | limits | extra


def manage(*arguments: str, **extra: str) -> None:
    """Runs a management command in its own process, on the test's database. Raises CalledProcessError."""
    subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment(**extra), check=True, timeout=100
    )


# Arguments of `python -m`. Production uses uvicorn, with these protocols (docs/operations.md).
COMMANDS = {
    "daphne": ["daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}", "{application}"],
    "uvicorn": [
        "uvicorn", "{application}", "--ws", "realtime.uvicorn_protocols:FrameProtocol",
        "--http", "realtime.uvicorn_protocols:HttpProtocol",
        "--lifespan", "off", "--no-access-log", "--host", "127.0.0.1", "--port", "{port}",
    ],
}  # fmt: skip


class Site(Server):
    """The process of a site. `url` is its root, `ws` its WebSocket. `extra`: variables of its environment."""

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
        if "WEB_CONCURRENCY" in self.extra:  # uvicorn cannot start workers from a forked process
            super().launch()
        else:
            self.process = Forked(self.command()[2:], self.environment(), self.log, usual=not self.extra)

    def environment(self) -> dict[str, str]:
        return environment(**self.extra)
