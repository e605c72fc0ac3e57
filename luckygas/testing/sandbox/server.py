"""The sandbox's HTTP server. Listens on loopback only, because it has no sign-in and shows whole telephone numbers."""

from __future__ import annotations

import logging
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType, TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from luckygas.environment import LOOPBACK
from luckygas.testing.sandbox import control, every8d, generic, mitake, page
from luckygas.testing.sandbox.faults import LONGEST_SECONDS, FaultKind, SandboxFault
from luckygas.testing.sandbox.http_messages import Request, Response
from luckygas.testing.sandbox.operator import Operator
from luckygas.testing.sandbox.telephones import BALANCE, SandboxAccount

log = logging.getLogger(__name__)
BODY_BYTES = 65_536
# The time limit for each read from a client and each write to it.
CLIENT_SECONDS = 30
HUGE_BYTES = 10_000_000
GARBAGE = bytes(range(256)) * 4
HTML = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
# SO_LINGER with a time of 0: closing sends RST at once.
LINGER_ZERO = struct.pack("ii", 1, 0)
PROVIDERS: dict[str, ModuleType] = {module.NAME: module for module in (generic, mitake, every8d)}
Work = Callable[[Request, Operator], Response]
OWN: dict[tuple[str, str], Work] = {**page.ROUTES, **control.ROUTES}


class Unreadable(Exception):
    """The request's body is too large or has no length. `status` is the HTTP status of the response."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class SandboxHandler(BaseHTTPRequestHandler):
    server: Server
    timeout = CLIENT_SECONDS

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        try:
            if not self.is_from_this_machine():
                self.write(Response(b"Only programs and pages of this machine may use the sandbox.\n", 403))
            elif (provider := provider_of(path)) is not None:
                on, work = PROVIDERS[provider].ROUTES[path]
                self.provide(provider, work, self.server.operator.faults.next(on))
            elif (own := OWN.get((self.command, path))) is not None:
                self.write(own(self.read(), self.server.operator))
            else:
                self.write(Response(b"Unknown path.\n", 404))
        except Unreadable as error:
            self.write(Response(b"Send at most 64 KiB, with Content-Length.\n", error.status))
        except ValueError:
            self.write(Response(b"The form is invalid.\n", 400))

    do_POST = do_GET

    def is_from_this_machine(self) -> bool:
        """Checks Host and Origin, so that pages of other sites in this machine's browser cannot send requests."""
        origin = self.headers.get("Origin")
        host = self.headers.get("Host", "")
        return urlsplit(f"//{host}").hostname in LOOPBACK and origin in (None, f"http://{host}")

    def read(self) -> Request:
        """Reads the request with its body. Raises Unreadable."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            raise Unreadable(411)
        if len(length) > 9 or int(length) > BODY_BYTES:
            raise Unreadable(413)
        return Request(urlsplit(self.path).query, self.headers, self.rfile.read(int(length)))

    def provide(self, name: str, work: Work, fault: SandboxFault | None) -> None:
        """Answers as the provider, or simulates the fault."""
        operator = self.server.operator
        if fault is None:
            self.write(work(self.read(), operator))
            return
        log.info("%s: %s", name, fault.kind)
        if fault.kind == FaultKind.DROP_BEFORE:
            self.drop()
            return
        request = self.read()
        if fault.kind == FaultKind.REFUSE:
            self.write(PROVIDERS[name].refusal(fault.code, request))
            return
        answer = work(request, operator) if fault.taken else PROVIDERS[name].refusal("", request)
        self.misbehave(fault, answer)

    def misbehave(self, fault: SandboxFault, answer: Response) -> None:
        status = int(fault.code) if fault.code.isdecimal() and 200 <= int(fault.code) <= 599 else 200
        if fault.kind == FaultKind.HTML:
            self.write(Response(HTML.encode(), status, "text/html"))
        elif fault.kind == FaultKind.GARBAGE:
            self.write(Response(GARBAGE, status, "application/octet-stream"))
        elif fault.kind == FaultKind.HUGE:
            self.write(Response(b"x" * HUGE_BYTES, status))
        elif fault.kind == FaultKind.TWICE:
            self.write(answer)
            self.write(answer)
        elif fault.kind == FaultKind.DROP_AFTER:
            self.drop()
        else:
            over = self.server.operator.over.wait(min(fault.seconds, LONGEST_SECONDS))
            if fault.kind == FaultKind.SLOW and not over:
                self.write(answer)
            else:
                self.drop()

    def drop(self) -> None:
        """Resets the connection (RST)."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self.connection.close()
        # The base class closes these files afterwards.
        self.wfile, self.rfile = open(os.devnull, "wb"), open(os.devnull, "rb")  # noqa: SIM115
        self.close_connection = True

    def write(self, answer: Response) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.location:
            self.send_header("Location", answer.location)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *args: Any) -> None:
        """Suppresses the base class's log lines, because a query holds credentials and numbers."""


def provider_of(path: str) -> str | None:
    return next((name for name, module in PROVIDERS.items() if path in module.ROUTES), None)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, operator: Operator) -> None:
        self.operator = operator
        super().__init__(("127.0.0.1", port), SandboxHandler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores network errors, such as of clients that close the connection. Logs any other error."""
        if not isinstance(sys.exception(), OSError):
            log.exception("A request failed.")


class Sandbox:
    """The sandbox in this process. Runs from `start()` to `stop()`, or in a `with` block.

    Port 0: any free port. Raises OSError if the port is taken, and OverflowError if there is no such port.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        callbacks: Mapping[str, str] | None = None,
        account: SandboxAccount | None = None,
        balance: int = BALANCE,
    ) -> None:
        self.operator = Operator(
            account or SandboxAccount(), {"mitake": mitake, "every8d": every8d}, callbacks or {}, balance
        )  # fmt: skip
        self._server = Server(port, self.operator)
        self._thread = threading.Thread(target=self.serve, name="sandbox", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def serve(self) -> None:
        """Serves until `stop()`."""
        self._server.serve_forever(poll_interval=0.05)

    def start(self) -> None:
        self.operator.receipts.start()
        self._thread.start()

    def stop(self) -> None:
        self.operator.stop()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
