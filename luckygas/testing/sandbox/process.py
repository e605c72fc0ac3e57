"""What stands in for an SMS provider in `make run` and `make serve`: the sandbox, where SMS_GATEWAY names no other."""

from __future__ import annotations

import secrets
import socket
import sys
from contextlib import ExitStack

from luckygas.testing.servers import Server
from luckygas.testing.site import ROOT

SANDBOX_PORT = 8025


class SandboxServer(Server):
    """On its usual port, or on any that is free where another program has that."""

    def __init__(self, *options: str) -> None:
        super().__init__()
        self._options = options
        if is_free(SANDBOX_PORT):
            self.port = SANDBOX_PORT

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), "sms_sandbox", "--port", str(self.port), *self._options]


def with_sandbox(stack: ExitStack, environment: dict[str, str], address: str, *options: str) -> SandboxServer | None:
    """Starts it and names it in the site's environment; a provider that is named there stays. `options`: its own.

    Its telephones are awake at night, so that a newcomer sees an SMS at any hour.
    """
    if environment.get("SMS_GATEWAY"):
        return None
    sandbox = SandboxServer(*options)
    stack.callback(sandbox.stop)
    sandbox.start()
    # Mitake and not `http`: it says with each message where its receipt is to go.
    environment |= {
        "SMS_GATEWAY": "mitake", "MITAKE_URL": f"{sandbox.url}/mitake/",
        "MITAKE_USERNAME": "sandbox", "MITAKE_PASSWORD": "sandbox-password",
        "SMS_CALLBACK_BASE_URL": f"http://127.0.0.1:{address.rpartition(':')[2]}",
        "SMS_CALLBACK_SECRET": secrets.token_urlsafe(16),
        "TRACKING_URL": environment.get("TRACKING_URL") or f"http://{address}/t/",
        "SMS_QUIET_HOURS": environment.get("SMS_QUIET_HOURS", ""),
    }  # fmt: skip
    return sandbox


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: what a connection of before left behind does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
