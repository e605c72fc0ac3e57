"""One bounded exchange with a provider over HTTP, its faults told apart: was the request ever out? And the generic
provider: JSON over HTTP; 200 is accepted; 400, 413 and 422 say that this message never will be.

The exchange is by `http.client`, on a socket of our own: what fails before the request is sent is then certain, and a
timer can cut the socket. (A time limit of a library, of `requests` too, starts anew with every byte.) It follows no
redirect and takes nothing from the environment: a proxy or a ~/.netrc would see, or replace, the key.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import quote, urlsplit

from django.conf import settings

from notifications.gateways.base import Accepted, Gateway, GatewayError, GatewayHealth, Message
from notifications.states import Reason

CONNECT_SECONDS = 3.05
# No provider's answer is longer; what is beyond is not read.
ANSWER_BYTES = 65_536
OWN_HEADERS = {"User-Agent": "luckygas", "Accept": "*/*", "Connection": "close"}
# Not percent-encoded in a path or query (RFC 3986). `%` is among them: the URL may be encoded already.
URL_CHARACTERS = "!$%&'()*+,/:;=?@[]~"
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
class ProviderResponse:
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


def exchange(
    method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, seconds: float
) -> ProviderResponse:
    """One request and its answer within `seconds` in all. Raises GatewayError, in words without URL and headers."""
    until = time.monotonic() + seconds
    try:
        request = prepared(method, url, {**OWN_HEADERS, **headers, "Content-Length": str(len(body))})
        sock = connected(request, until)
    except (ValueError, HTTPException) as error:
        text = f"The provider's URL or key in the settings is not valid ({type(error).__name__})."
        raise GatewayError(text, reason=Reason.UNREACHABLE, permanent=True) from None
    except OSError:
        raise GatewayError("Could not connect to the provider.", reason=Reason.UNREACHABLE) from None
    with sock, cut_at(until, sock):
        if isinstance(sock, ssl.SSLSocket):
            shake_hands(sock)
        request.sock = sock
        try:
            request.endheaders(body)
            response = request.getresponse()
            text, whole = body_of(response)
        except (OSError, HTTPException, ValueError) as error:
            text = f"No response from the provider within {seconds:g} s ({type(error).__name__})."
            raise GatewayError(text, reason=Reason.NO_ANSWER) from None
    return ProviderResponse(response.status, text, whole and time.monotonic() < until)


def prepared(method: str, url: str, headers: Mapping[str, str]) -> HTTPConnection:
    """A request that is not sent yet. Raises ValueError or HTTPException where none can be made of these."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\r\n]", "".join(headers.values())):
        raise ValueError
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    request = kind(parts.hostname, parts.port or kind.default_port)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request.putrequest(method, quote(target, safe=URL_CHARACTERS))
    for name, value in headers.items():
        request.putheader(name, value.encode())
    return request


def connected(request: HTTPConnection, until: float) -> socket.socket:
    """A new connection: on one kept from before, which may be dead, nobody knows whether a request was seen."""
    left = max(until - time.monotonic(), 0.001)
    sock = socket.create_connection((request.host, request.port), min(CONNECT_SECONDS, left))
    sock.settimeout(left)
    if not isinstance(request, HTTPSConnection):
        return sock
    context = ssl.create_default_context()
    return context.wrap_socket(sock, server_hostname=request.host, do_handshake_on_connect=False)


def shake_hands(sock: ssl.SSLSocket) -> None:
    """Raises GatewayError: nothing was sent."""
    try:
        sock.do_handshake()
    except ssl.SSLCertVerificationError:
        text = "The provider's certificate is not valid."
        raise GatewayError(text, reason=Reason.UNREACHABLE, permanent=True) from None
    except OSError:
        raise GatewayError("Could not make a secure connection to the provider.", reason=Reason.UNREACHABLE) from None


@contextmanager
def cut_at(until: float, sock: socket.socket) -> Iterator[None]:
    def cut() -> None:
        # Past TLS's own shutdown; an OSError says that it is closed, which is what we want.
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(until - time.monotonic(), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def body_of(response: HTTPResponse) -> tuple[str, bool]:
    """What came of the body, and whether it is all: to some providers the status has decided already."""
    body, ended = b"", False
    # In pieces: `read` discards what it has received when the connection is reset.
    with suppress(OSError, HTTPException, ValueError):
        while len(body) < ANSWER_BYTES and (piece := response.read1(ANSWER_BYTES - len(body))):
            body += piece
        ended = len(body) < ANSWER_BYTES
    lengths = set(response.headers.get_all("Content-Length", []))
    return decoded(body), ended and not response.length and len(lengths) < 2


def decoded(body: bytes) -> str:
    """UTF-8, perhaps marked so or cut in the middle of a letter; else Big5, in which Mitake says why it refuses."""
    try:
        return getincrementaldecoder("utf-8-sig")().decode(body)
    except UnicodeDecodeError:
        return body.decode("cp950", errors="replace")


class Http(Gateway):
    """`POST {SMS_PROVIDER_URL}`; an Idempotency-Key lets it be repeated."""

    idempotent = True
    needs = ("SMS_PROVIDER_URL", "SMS_API_KEY")

    def __init__(self) -> None:
        self.url = settings.SMS_PROVIDER_URL
        self.secrets = (settings.SMS_API_KEY,)
        self.key = {"Authorization": f"Bearer {settings.SMS_API_KEY}"}

    def transmit(self, message: Message) -> Accepted:
        said = {"phone": message.phone, "message": message.text, "sender": settings.SMS_SENDER}
        headers = self.key | {"Content-Type": "application/json", "Idempotency-Key": str(message.id)}
        seconds = settings.SMS_TIMEOUT_SECONDS
        answer = exchange("POST", self.url, headers, json.dumps(said).encode(), seconds=seconds)
        if answer.status != 200:
            reason = Reason.REFUSED if answer.status in ABOUT_THE_MESSAGE else status_reason(answer.status)
            text = answer.body or f"HTTP {answer.status}"
            raise GatewayError(text, reason=reason, permanent=True, raw_status=str(answer.status))
        return Accepted(message_id(answer), str(answer.status))

    def health(self) -> GatewayHealth:
        try:
            answer = exchange("GET", self.url.rstrip("/") + "/health", self.key, seconds=HEALTH_SECONDS)
        except GatewayError as error:
            return GatewayHealth(reachable=False, detail=str(error))
        return GatewayHealth(reachable=answer.status == 200, detail=f"HTTP {answer.status}")


def message_id(answer: ProviderResponse) -> str:
    """The provider's own id, where its answer is a JSON object that has one, fit to be kept."""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    found = str(said.get("message_id") or said.get("id") or "") if isinstance(said, Mapping) else ""
    return found if ID.fullmatch(found) else ""
