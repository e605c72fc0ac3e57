"""The load on the site: requests at a steady rate, and bulk updates of a thousand orders."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from threading import Lock
from typing import Any

from bench.senders import padding

V1 = "/api/v1/"
# Threads for requests: more than the requests under way while the site is fast enough.
CALLERS = 128
# Kinds of requests: a read, a change of status, and one whose response waits for the SMS (5 s at most, by design).
READ, CHANGE, WITH_SMS = "read", "change", "change and SMS"


@dataclass(frozen=True)
class Request:
    kind: str
    method: str
    path: str
    body: Any = None


@dataclass
class Responses:
    """Response times in ms since each request was due, by kind. `changes` counts the changes that succeeded."""

    times: dict[str, list[float]] = field(default_factory=lambda: {READ: [], CHANGE: [], WITH_SMS: []})
    errors: list[str] = field(default_factory=list)
    changes: int = 0
    _lock: Lock = field(default_factory=Lock)

    @property
    def count(self) -> int:
        return sum(len(times) for times in self.times.values())

    def fail(self, request: Request, error: str) -> None:
        with self._lock:
            self.errors.append(f"{request.method} {request.path}: {error}")

    def add(self, request: Request, milliseconds: float, error: str = "") -> None:
        if error:
            self.fail(request, error)
        with self._lock:
            self.times[request.kind].append(milliseconds)
            self.changes += not error and request.kind != READ


def requests_of_day(drivers: list[int], confirmed: list[int], assigned: list[int]) -> Iterator[Request]:
    """The requests of an office's day, which move orders of `confirmed` to assigned and of `assigned` to delivering."""
    to_assign, to_start = iter(confirmed), iter(assigned)
    for number in count():
        yield Request(READ, "GET", f"{V1}orders/?status=pending,confirmed,assigned")
        yield Request(READ, "GET", f"{V1}orders/{confirmed[number % len(confirmed)]}/")
        driver = drivers[number % len(drivers)]
        yield _move(CHANGE, next(to_assign), status="assigned", driver=driver)
        yield Request(READ, "GET", f"{V1}orders/?driver={driver}&ordering=stop_sequence")
        yield Request(READ, "GET", f"{V1}customers/?q=09550{number % 100:02}")
        yield _move(CHANGE, next(to_assign), status="assigned", driver=driver)
        yield Request(READ, "GET", f"{V1}products/")
        yield _move(WITH_SMS, next(to_start), status="delivering")
        yield Request(READ, "GET", f"{V1}drivers/locations/")
        yield Request(READ, "GET", f"{V1}notifications/?page_size=20")


def _move(kind: str, order: int, **body: Any) -> Request:
    return Request(kind, "PATCH", f"{V1}orders/{order}/status/", body)


def send_steadily(
    port: int, token: str, requests: Iterator[Request], rate: float, seconds: float, responses: Responses
) -> None:
    """Sends requests at `rate` even if the site is slow. Response times count from when each request was due."""
    start = time.monotonic()
    with ThreadPoolExecutor(CALLERS) as callers:
        for number in range(int(rate * seconds)):
            due = start + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            callers.submit(_send, port, token, next(requests), due, responses)


def _send(port: int, token: str, request: Request, due: float, responses: Responses) -> None:
    _, error = body_or_error(port, token, request)
    responses.add(request, (time.monotonic() - due) * 1000, error)


def body_or_error(port: int, token: str, request: Request) -> tuple[bytes, str]:
    """Returns the body of a successful response, or the error."""
    try:
        status, content = call(port, token, request)
    except (OSError, http.client.HTTPException) as problem:
        return b"", repr(problem)
    return (content, "") if status < 300 else (b"", f"{status} {content[:200]!r}")


def call(port: int, token: str, request: Request) -> tuple[int, bytes]:
    """Sends a request on its own connection, so that any worker may accept it. `reason` has the time of sending."""
    data = request.body if request.body is None else request.body | {"reason": padding(24)}
    body = None if data is None else json.dumps(data)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Connection": "close"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(request.method, request.path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def confirm(port: int, token: str, ids: list[int], responses: Responses) -> tuple[int, float]:
    """Confirms orders with a bulk update. Returns how many were confirmed and the seconds it took."""
    start = time.monotonic()
    request = Request(CHANGE, "POST", f"{V1}orders/bulk-update/", {"ids": ids, "status": "confirmed"})
    content, error = body_or_error(port, token, request)
    seconds = time.monotonic() - start
    if error:
        responses.fail(request, error)
        return 0, seconds
    return len(json.loads(content)["updated"]), seconds
