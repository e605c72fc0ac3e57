"""One HTTP request to a provider, with limits of time and size, and the generic provider (JSON over HTTP).

An error says whether the request may have reached the provider. So the request runs through `http.client` on a socket
that this module opens. The module then knows whether a fault came before the request, and a timer can shut the socket
down. (The timeout of a library such as `requests` starts anew with every byte.) The request follows no redirect and
reads nothing from the environment, because a proxy or a ~/.netrc would see or replace the key.
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

# Timeout for opening a connection.
CONNECT_SECONDS = 3.05
# Maximum bytes that are read of an answer. No provider's answer is longer.
MAX_ANSWER_BYTES = 65_536
OWN_HEADERS = {"User-Agent": "luckygas", "Accept": "*/*", "Connection": "close"}
# Characters that are not percent-encoded in a path or query (RFC 3986). `%` is one of them, because the URL may be
# encoded already.
URL_CHARACTERS = "!$%&'()*+,/:;=?@[]~"
# The meaning of a status for every provider (RFC 9110, 15; RFC 8470). A request with one of these had no effect.
STATUS_REASONS = {
    **dict.fromkeys([401, 403, 407], Reason.CHANNEL_STOPPED), 402: Reason.NO_CREDIT,
    **dict.fromkeys([408, 425, 429, 503], Reason.BUSY),
}  # fmt: skip
# Another request with the same key is being processed, and may still send the message.
CONFLICT = 409
# With these statuses the generic provider refuses a message for good.
ABOUT_THE_MESSAGE = frozenset({400, 413, 422})
# A provider's id that can be stored.
ID = re.compile(r"[!-~]{1,80}")
# Timeout of a request for which a person or a monitor waits.
HEALTH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ProviderResponse:
    """The provider's status, as much of the body as came in time, and whether the body is complete."""

    status: int
    body: str
    whole: bool


def status_reason(status: int) -> Reason:
    """Returns why a request with a status other than 200 is not accepted.

    A redirect, or a 4xx that is neither in STATUS_REASONS nor CONFLICT, is an unknown code, so that a person checks the
    settings. Any other status leaves open whether the message was sent.
    """
    if status in STATUS_REASONS:
        return STATUS_REASONS[status]
    return Reason.UNKNOWN_CODE if 300 <= status < 500 and status != CONFLICT else Reason.NO_ANSWER


def exchange(
    method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, seconds: float
) -> ProviderResponse:
    """Makes one request within `seconds` in all. Raises GatewayError, whose text holds neither URL nor headers."""
    until = time.monotonic() + seconds
    try:
        request = build_request(method, url, {**OWN_HEADERS, **headers, "Content-Length": str(len(body))})
        sock = connect(request, until)
    except (ValueError, HTTPException) as error:
        text = f"The provider's URL or key in the settings is not valid ({type(error).__name__})."
        raise GatewayError(text, reason=Reason.UNREACHABLE, permanent=True) from None
    except OSError:
        raise GatewayError("Could not connect to the provider.", reason=Reason.UNREACHABLE) from None
    with sock, shut_down_at(until, sock):
        if isinstance(sock, ssl.SSLSocket):
            shake_hands(sock)
        request.sock = sock
        try:
            request.endheaders(body)
            response = request.getresponse()
            text, whole = read_body(response)
        except (OSError, HTTPException, ValueError) as error:
            text = f"No response from the provider within {seconds:g} s ({type(error).__name__})."
            raise GatewayError(text, reason=Reason.NO_ANSWER) from None
    return ProviderResponse(response.status, text, whole and time.monotonic() < until)


def build_request(method: str, url: str, headers: Mapping[str, str]) -> HTTPConnection:
    """Returns a request that is not sent yet. Raises ValueError or HTTPException if an argument is not valid."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\r\n]", "".join(headers.values())):
        raise ValueError
    class_ = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    request = class_(parts.hostname, parts.port or class_.default_port)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request.putrequest(method, quote(target, safe=URL_CHARACTERS))
    for name, value in headers.items():
        request.putheader(name, value.encode())
    return request


def connect(request: HTTPConnection, until: float) -> socket.socket:
    """Opens a connection to the request's host, for https without the TLS handshake yet. Raises OSError.

    Each request gets a new one: if a reused connection is dead, nobody knows what the provider received.
    """
    left = max(until - time.monotonic(), 0.001)
    sock = socket.create_connection((request.host, request.port), min(CONNECT_SECONDS, left))
    sock.settimeout(left)
    if not isinstance(request, HTTPSConnection):
        return sock
    context = ssl.create_default_context()
    return context.wrap_socket(sock, server_hostname=request.host, do_handshake_on_connect=False)


def shake_hands(sock: ssl.SSLSocket) -> None:
    """Completes the TLS handshake. Raises GatewayError; then no request was sent."""
    try:
        sock.do_handshake()
    except ssl.SSLCertVerificationError:
        text = "The provider's certificate is not valid."
        raise GatewayError(text, reason=Reason.UNREACHABLE, permanent=True) from None
    except OSError:
        raise GatewayError("Could not make a secure connection to the provider.", reason=Reason.UNREACHABLE) from None


@contextmanager
def shut_down_at(until: float, sock: socket.socket) -> Iterator[None]:
    """Context in which a timer shuts the socket down at `until` (`time.monotonic`), so that no read lasts longer."""

    def shut_down() -> None:
        # The method of SSLSocket would also drop the TLS state, which another thread uses. An OSError means that the
        # socket is closed already.
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(until - time.monotonic(), shut_down)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def read_body(response: HTTPResponse) -> tuple[str, bool]:
    """Returns what came of the body, and whether it is complete.

    Raises no error for an incomplete body, because for some providers the status alone decides.
    """
    body, ended = b"", False
    # Reads in pieces, because `read` discards what it has received when the connection is reset.
    with suppress(OSError, HTTPException, ValueError):
        while len(body) < MAX_ANSWER_BYTES and (piece := response.read1(MAX_ANSWER_BYTES - len(body))):
            body += piece
        ended = len(body) < MAX_ANSWER_BYTES
    lengths = set(response.headers.get_all("Content-Length", []))
    return decode(body), ended and not response.length and len(lengths) < 2


def decode(body: bytes) -> str:
    """Decodes UTF-8, which may have a byte order mark or end within a letter; else Big5, as in errors of Mitake."""
    try:
        return getincrementaldecoder("utf-8-sig")().decode(body)
    except UnicodeDecodeError:
        return body.decode("cp950", errors="replace")


class Http(Gateway):
    """The generic provider: `POST {SMS_PROVIDER_URL}` in JSON. 200 is acceptance. An Idempotency-Key allows retries."""

    idempotent = True
    needs = ("SMS_PROVIDER_URL", "SMS_API_KEY")

    def __init__(self) -> None:
        self.url = settings.SMS_PROVIDER_URL
        self.secrets = (settings.SMS_API_KEY,)
        self.key = {"Authorization": f"Bearer {settings.SMS_API_KEY}"}

    def transmit(self, message: Message) -> Accepted:
        fields = {"phone": message.phone, "message": message.text, "sender": settings.SMS_SENDER}
        headers = self.key | {"Content-Type": "application/json", "Idempotency-Key": str(message.id)}
        seconds = settings.SMS_TIMEOUT_SECONDS
        answer = exchange("POST", self.url, headers, json.dumps(fields).encode(), seconds=seconds)
        if answer.status != 200:
            reason = Reason.REFUSED if answer.status in ABOUT_THE_MESSAGE else status_reason(answer.status)
            text = answer.body or f"HTTP {answer.status}"
            raise GatewayError(text, reason=reason, permanent=True, raw_status=str(answer.status))
        return Accepted(provider_id(answer), str(answer.status))

    def health(self) -> GatewayHealth:
        try:
            answer = exchange("GET", self.url.rstrip("/") + "/health", self.key, seconds=HEALTH_SECONDS)
        except GatewayError as error:
            return GatewayHealth(reachable=False, detail=str(error))
        return GatewayHealth(reachable=answer.status == 200, detail=f"HTTP {answer.status}")


def provider_id(answer: ProviderResponse) -> str:
    """Returns the provider's id if the answer is a JSON object with one that can be stored; else an empty text."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    found = str(body.get("message_id") or body.get("id") or "") if isinstance(body, Mapping) else ""
    return found if ID.fullmatch(found) else ""
