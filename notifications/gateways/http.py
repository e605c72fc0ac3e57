"""One bounded exchange with a provider over HTTP, its faults told apart: was the request ever out? And the generic
provider: JSON over HTTP; 200 is accepted; 400, 413 and 422 say that this message never will be.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, LocationValueError, NewConnectionError

from notifications.gateways.base import Accepted, Gateway, GatewayError, Health, Message
from notifications.states import Reason

CONNECT_SECONDS = 3.05
# No provider's answer is longer; what is beyond is not read.
ANSWER_BYTES = 65_536
PIECE_BYTES = 4_096
# What a status says of the request, whoever the provider is (RFC 9110, 15; RFC 8470): each of these was not obeyed.
STATUS_REASONS = {
    **dict.fromkeys([401, 403, 407], Reason.CHANNEL_STOPPED), 402: Reason.NO_CREDIT,
    **dict.fromkeys([408, 425, 429, 503], Reason.BUSY),
}  # fmt: skip
# The same key is in use at this moment: the first request may well be obeyed.
CONFLICT = 409
# The generic provider's.
ABOUT_THE_MESSAGE = frozenset({400, 413, 422})
ID = re.compile(r"[!-~]{1,80}")
# For a question that a person or a monitor waits for.
HEALTH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The provider's status, as much of the body as came in time, and whether that is all of it."""

    status: int
    body: str
    whole: bool


def status_reason(status: int) -> Reason:
    """Why a request with any status but 200 is not accepted.

    A redirect, or an error of the client that is not named above, is for whoever set the provider up; a fault of the
    server may come after the sending.
    """
    if status in STATUS_REASONS:
        return STATUS_REASONS[status]
    return Reason.UNKNOWN_CODE if 300 <= status < 500 and status != CONFLICT else Reason.NO_ANSWER


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

    def close(self) -> None:
        super().close()
        # An answer whose head breaks the library leaves its socket open: half read, it closes only with its file.
        for each in self.sockets:
            if (number := each.detach()) >= 0:
                socket.close(number)


class Session(requests.Session):
    """Follows no redirect; the library would otherwise read the whole body of one, however long.

    Takes nothing from the environment: a ~/.netrc would replace the key, and who set a proxy did not mean this. So
    neither HTTPS_PROXY nor REQUESTS_CA_BUNDLE counts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def exchange(method: str, url: str, *, seconds: float, **request: Any) -> Answer:
    """One request and its answer within `seconds` in all, redirects not followed. Raises GatewayError."""
    times = (min(CONNECT_SECONDS, seconds), seconds)
    with cuttable_session(seconds) as session:
        try:
            checked = prepared(session, requests.Request(method, url, **request))
        except (requests.RequestException, ValueError) as error:
            raise unusable(error) from None
        try:
            with session.send(checked, timeout=times, stream=True) as response:
                return Answer(response.status_code, *body_of(response))
        except (requests.RequestException, HTTPError, ValueError) as error:
            raise fault(error, seconds) from None


def prepared(session: requests.Session, request: requests.Request) -> requests.PreparedRequest:
    """What is to be sent, with all that the libraries would refuse only while they send it. Raises ValueError."""
    checked = session.prepare_request(request)
    session.get_adapter(checked.url or "")
    values: list[str | bytes] = list(checked.headers.values())
    sent = b"".join(value if isinstance(value, bytes) else value.encode("latin-1") for value in values)
    if b"\r" in sent or b"\n" in sent:
        raise ValueError("A header is one line.")
    return checked


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
    return decoded(b"".join(pieces)[:ANSWER_BYTES]), whole


def decoded(body: bytes) -> str:
    """UTF-8, perhaps marked so or cut in the middle of a letter; else Big5, in which Mitake says why it refuses."""
    try:
        return getincrementaldecoder("utf-8-sig")().decode(body)
    except UnicodeDecodeError:
        return body.decode("cp950", errors="replace")


def unusable(error: Exception) -> GatewayError:
    """What no request can be made of: nothing was sent."""
    said = f"The settings of the provider make no request ({type(error).__name__})."
    return GatewayError(said, reason=Reason.UNREACHABLE, permanent=True)


def fault(error: Exception, seconds: float) -> GatewayError:
    """What an exception of the library means, in words of our own: its own contain the URL and the headers.

    What is not certainly from before the sending may as well be from behind it: an answer can break the library too.
    """
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(error, LocationValueError):
        return unusable(error)
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return GatewayError("The provider's certificate is not valid.", reason=Reason.UNREACHABLE, permanent=True)
    if isinstance(cause, NewConnectionError | ConnectTimeoutError):
        return GatewayError("No connection to the provider.", reason=Reason.UNREACHABLE)
    text = f"No answer from the provider within {seconds:g} s ({type(error).__name__})."
    return GatewayError(text, reason=Reason.NO_ANSWER)


class Http(Gateway):
    """`POST {SMS_PROVIDER_URL}`; an Idempotency-Key lets it be repeated."""

    idempotent = True
    needs = ("SMS_PROVIDER_URL", "SMS_API_KEY")

    def __init__(self) -> None:
        self.url = settings.SMS_PROVIDER_URL
        self.secrets = (settings.SMS_API_KEY,)
        self.key: dict[str, str | bytes] = {"Authorization": f"Bearer {settings.SMS_API_KEY}".encode()}

    def transmit(self, message: Message) -> Accepted:
        answer = exchange(
            "POST", self.url, seconds=settings.SMS_TIMEOUT_SECONDS,
            json={"phone": message.phone, "message": message.text, "sender": settings.SMS_SENDER},
            headers=self.key | {"Idempotency-Key": str(message.id)},
        )  # fmt: skip
        if answer.status != 200:
            reason = Reason.REFUSED if answer.status in ABOUT_THE_MESSAGE else status_reason(answer.status)
            said = answer.body or f"HTTP {answer.status}"
            raise GatewayError(said, reason=reason, permanent=True, raw_status=str(answer.status))
        return Accepted(message_id(answer), str(answer.status))

    def health(self) -> Health:
        try:
            answer = exchange("GET", self.url.rstrip("/") + "/health", seconds=HEALTH_SECONDS, headers=self.key)
        except GatewayError as error:
            return Health(reachable=False, detail=str(error))
        return Health(reachable=answer.status == 200, detail=f"HTTP {answer.status}")


def message_id(answer: Answer) -> str:
    """The provider's own id, where its answer is a JSON object that has one, fit to be kept."""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    found = str(said.get("message_id") or said.get("id") or "") if isinstance(said, Mapping) else ""
    return found if ID.fullmatch(found) else ""
