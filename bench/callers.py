"""A REST client that sends one request after the other on one connection, as a program or a page does."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from typing import Any


class WrongResponse(RuntimeError):
    """The server's response is wrong, so the measurement is invalid."""


class Caller:
    """A client with a persistent connection. Sends `token` as a bearer token, unless it is empty."""

    def __init__(self, port: int, token: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, body: Any = None) -> bytes:
        """Returns the body of the response. Raises WrongResponse if the status is 300 or higher."""
        payload = None if body is None else json.dumps(body)
        headers = self._headers | ({"Content-Type": "application/json"} if payload else {})
        self._connection.request(method, path, payload, headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.status >= 300:
            raise WrongResponse(f"{method} {path}: {response.status} {content[:300]!r}")
        return content

    def milliseconds(self, method: str, path: str, body: Any = None) -> float:
        """Makes one call and returns the time until its response."""
        start = time.perf_counter()
        self.call(method, path, body)
        return (time.perf_counter() - start) * 1000

    def close(self) -> None:
        self._connection.close()


def percentile(values: Sequence[float], share: float) -> float:
    """The percentile without interpolation: of 1,000 values, the 99th is the tenth largest. `share` is from 0 to 1."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]
