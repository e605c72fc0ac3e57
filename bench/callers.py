"""Callers of REST: one request after the other on one connection, as a program or a page does."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from typing import Any


class Wrong(RuntimeError):
    """A server answered other than it should, so what it cost means nothing."""


class Caller:
    """Keeps its connection. `token` may be empty."""

    def __init__(self, port: int, token: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, said: Any = None) -> bytes:
        """The body of the answer. Raises Wrong unless it is 2xx."""
        body = None if said is None else json.dumps(said)
        headers = self._headers | ({"Content-Type": "application/json"} if body else {})
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise Wrong(f"{method} {path}: {answer.status} {content[:300]!r}")
        return content

    def milliseconds(self, method: str, path: str, said: Any = None) -> float:
        begun = time.perf_counter()
        self.call(method, path, said)
        return (time.perf_counter() - begun) * 1000

    def close(self) -> None:
        self._connection.close()


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: of 1,000 values the 99 % is the tenth worst."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]
