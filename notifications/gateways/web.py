"""One bounded exchange with a provider over HTTP, its faults told apart: was the request ever out?"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from notifications.gateways.base import GatewayError
from notifications.states import Reason

CONNECT_SECONDS = 3.05
# No provider's answer is longer; what is beyond is not read.
ANSWER_BYTES = 65_536
PIECE_BYTES = 4_096
# For a question that a person or a monitor waits for.
HEALTH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The provider's status, as much of the body as came in time, and whether that is all of it."""

    status: int
    body: str
    whole: bool


class Cuttable(HTTPAdapter):
    """Notes its sockets, so that they can be cut: a time limit of `requests` starts anew with every byte."""

    def __init__(self) -> None:
        super().__init__()
        self.sockets: list[socket.socket] = []

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        sockets = self.sockets

        class Noting(type(pool).ConnectionCls):  # type: ignore[misc]
            def __setattr__(self, name: str, value: Any) -> None:
                if name == "sock" and isinstance(value, socket.socket):
                    sockets.append(value)
                super().__setattr__(name, value)

        pool.ConnectionCls = Noting
        return pool

    def cut(self) -> None:
        for each in self.sockets:
            # Past TLS's own shutdown; an OSError says that it is closed, which is what we want.
            with suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)


class Session(requests.Session):
    """Follows no redirect; the library would otherwise read the whole body of one, however long."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def exchange(method: str, url: str, *, seconds: float, **request: Any) -> Answer:
    """One request and its answer within `seconds` in all, redirects not followed. Raises GatewayError."""
    times = (min(CONNECT_SECONDS, seconds), seconds)
    try:
        with (
            cuttable_session(seconds) as session,
            session.request(method, url, timeout=times, stream=True, **request) as response,
        ):
            return Answer(response.status_code, *body_of(response))
    except (requests.RequestException, HTTPError, ValueError) as error:
        raise fault(error, seconds) from None


@contextmanager
def cuttable_session(seconds: float) -> Iterator[requests.Session]:
    """A new session: on a connection kept from before, which may be dead, nobody knows whether a request was seen."""
    adapter = Cuttable()
    timer = threading.Timer(seconds, adapter.cut)
    timer.daemon = True
    with Session() as session:
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        timer.start()
        try:
            yield session
        finally:
            timer.cancel()


def body_of(response: requests.Response) -> tuple[str, bool]:
    """What can be read of the body, and whether it is all: to some providers the status has decided already."""
    pieces: list[bytes] = []
    size, whole = 0, False
    with suppress(HTTPError, OSError):
        while size < ANSWER_BYTES and not whole:
            pieces.append(response.raw.read1(PIECE_BYTES, decode_content=True))
            size += len(pieces[-1])
            whole = not pieces[-1]
    return b"".join(pieces)[:ANSWER_BYTES].decode(errors="replace"), whole


def fault(error: Exception, seconds: float) -> GatewayError:
    """What an exception of the library means, in words of our own: its own contain the URL and the headers."""
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    # What refuses a URL or a header, before anything is sent.
    if isinstance(error, ValueError):
        said = f"The settings of the provider make no request ({type(error).__name__})."
        return GatewayError(said, reason=Reason.UNREACHABLE, permanent=True)
    if isinstance(error, requests.exceptions.SSLError) and has_cause(error, ssl.SSLCertVerificationError):
        return GatewayError("The provider's certificate is not valid.", reason=Reason.UNREACHABLE, permanent=True)
    if isinstance(cause, NewConnectionError | ConnectTimeoutError):
        return GatewayError("No connection to the provider.", reason=Reason.UNREACHABLE)
    text = f"No answer from the provider within {seconds:g} s ({type(error).__name__})."
    return GatewayError(text, reason=Reason.NO_ANSWER)


def has_cause(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Whether an exception of `kind` led to `error`."""
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False
