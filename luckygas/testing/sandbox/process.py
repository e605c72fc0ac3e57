"""Starts the sandbox as the SMS provider of `make run` and `make serve`, unless SMS_GATEWAY names another."""

from __future__ import annotations

import secrets
import sys
from contextlib import ExitStack

from luckygas.testing.servers import Server, Unavailable
from luckygas.testing.site import ROOT

SANDBOX_PORT = 8025


class SandboxServer(Server):
    """The process of the sandbox, on SANDBOX_PORT, or on a free port if another program has that one."""

    def __init__(self, *options: str) -> None:
        super().__init__()
        self._options = options

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), "sms_sandbox", "--port", str(self.port), *self._options]

    def start(self) -> None:
        free_port, self.port = self.port, SANDBOX_PORT
        try:
            super().start()
        except Unavailable:
            self.port = free_port
            super().start()

    def is_ready(self) -> bool:
        """Reads the sandbox's log, because the sandbox of another site could answer on the port."""
        return f"{self.url}/" in self.log.read_text()


def with_sandbox(stack: ExitStack, environment: dict[str, str], address: str, *options: str) -> SandboxServer | None:
    """Starts the sandbox and adds it to the site's environment. `options`: arguments of the sandbox.

    With SMS_GATEWAY in the environment, does nothing and returns None. Otherwise turns quiet hours off unless the
    environment sets them, so that a newcomer sees an SMS at any hour.
    """
    if environment.get("SMS_GATEWAY"):
        return None
    sandbox = SandboxServer(*options)
    stack.callback(sandbox.stop)
    sandbox.start()
    # Mitake and not `http`, because its requests contain the URL for the receipt.
    environment |= {
        "SMS_GATEWAY": "mitake", "MITAKE_URL": f"{sandbox.url}/mitake/",
        "MITAKE_USERNAME": "sandbox", "MITAKE_PASSWORD": "sandbox-password",
        "SMS_CALLBACK_BASE_URL": f"http://127.0.0.1:{address.rpartition(':')[2]}",
        "SMS_CALLBACK_SECRET": secrets.token_urlsafe(16),
        "TRACKING_URL": environment.get("TRACKING_URL") or f"http://{address}/t/",
        "SMS_QUIET_HOURS": environment.get("SMS_QUIET_HOURS", ""),
    }  # fmt: skip
    return sandbox
