"""Who works at the site: an open loop of requests at a steady rate, and the office that confirms a thousand at once."""

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
# More than are ever under way while the site keeps up.
CALLERS = 128
# A read, a change of a status, or one of which the caller waits for the SMS as well (5 s at most, by design).
READ, CHANGE, TOLD = "read", "change", "change and SMS"


@dataclass(frozen=True)
class Asked:
    kind: str
    method: str
    path: str
    said: Any = None


@dataclass
class Answers:
    """Milliseconds from when each request was due, by kind, and what went wrong."""

    times: dict[str, list[float]] = field(default_factory=lambda: {READ: [], CHANGE: [], TOLD: []})
    errors: list[str] = field(default_factory=list)
    marked: int = 0
    _lock: Lock = field(default_factory=Lock)

    @property
    def count(self) -> int:
        return sum(len(times) for times in self.times.values())

    def fail(self, asked: Asked, error: str) -> None:
        with self._lock:
            self.errors.append(f"{asked.method} {asked.path}: {error}")

    def add(self, asked: Asked, milliseconds: float, error: str = "") -> None:
        if error:
            self.fail(asked, error)
        with self._lock:
            self.times[asked.kind].append(milliseconds)
            self.marked += not error and asked.kind != READ


def work(drivers: list[int], confirmed: list[int], assigned: list[int]) -> Iterator[Asked]:
    """What offices do all day. An order of `confirmed` is given to a driver, one of `assigned` sets out."""
    given, leaving = iter(confirmed), iter(assigned)
    for number in count():
        yield Asked(READ, "GET", f"{V1}orders/?status=pending,confirmed,assigned")
        yield Asked(READ, "GET", f"{V1}orders/{confirmed[number % len(confirmed)]}/")
        driver = drivers[number % len(drivers)]
        yield _move(CHANGE, next(given), status="assigned", driver=driver)
        yield Asked(READ, "GET", f"{V1}orders/?driver={driver}&ordering=stop_sequence")
        yield Asked(READ, "GET", f"{V1}customers/?q=09550{number % 100:02}")
        yield _move(CHANGE, next(given), status="assigned", driver=driver)
        yield Asked(READ, "GET", f"{V1}products/")
        yield _move(TOLD, next(leaving), status="delivering")
        yield Asked(READ, "GET", f"{V1}drivers/locations/")
        yield Asked(READ, "GET", f"{V1}notifications/?page_size=20")


def _move(kind: str, order: int, **said: Any) -> Asked:
    return Asked(kind, "PATCH", f"{V1}orders/{order}/status/", said)


def steady(port: int, token: str, todo: Iterator[Asked], rate: float, seconds: float, answers: Answers) -> None:
    """An open loop: a site that is slow is not asked less, and its slowness is counted from when the call was due."""
    begun = time.monotonic()
    with ThreadPoolExecutor(CALLERS) as callers:
        for number in range(int(rate * seconds)):
            due = begun + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            callers.submit(_ask, port, token, next(todo), due, answers)


def _ask(port: int, token: str, asked: Asked, due: float, answers: Answers) -> None:
    _, error = said_or_error(port, token, asked)
    answers.add(asked, (time.monotonic() - due) * 1000, error)


def said_or_error(port: int, token: str, asked: Asked) -> tuple[bytes, str]:
    """The body of a good answer, or what went wrong."""
    try:
        status, content = call(port, token, asked)
    except (OSError, http.client.HTTPException) as problem:
        return b"", repr(problem)
    return (content, "") if status < 300 else (b"", f"{status} {content[:200]!r}")


def call(port: int, token: str, asked: Asked) -> tuple[int, bytes]:
    """On a connection of its own, which any worker may take. Its mark is when it went out."""
    said = asked.said if asked.said is None else asked.said | {"reason": padding(24)}
    body = None if said is None else json.dumps(said)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Connection": "close"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(asked.method, asked.path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def confirm(port: int, token: str, ids: list[int], answers: Answers) -> tuple[int, float]:
    """How many orders of a bulk update were confirmed, and the seconds until its answer."""
    begun = time.monotonic()
    asked = Asked(CHANGE, "POST", f"{V1}orders/bulk-update/", {"ids": ids, "status": "confirmed"})
    content, error = said_or_error(port, token, asked)
    took = time.monotonic() - begun
    if error:
        answers.fail(asked, error)
        return 0, took
    return len(json.loads(content)["updated"]), took
