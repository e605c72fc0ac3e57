from __future__ import annotations

import functools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from notifications import sender
from notifications.gateways import get_gateway
from notifications.gateways.base import Gateway


def test_threads_that_ask_at_once_share_the_senders(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(name: str = "") -> Gateway:
        time.sleep(0.05)
        return get_gateway(name)

    monkeypatch.setattr(sender, "get_gateway", slow)
    monkeypatch.setattr(sender, "_pool", functools.cache(sender._pool.__wrapped__))
    together = threading.Barrier(4)

    def ask(_: int) -> int:
        together.wait(5)
        return id(sender.pool())

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(ask, range(4)))) == 1
