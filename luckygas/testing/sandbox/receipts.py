"""Sends delivery receipts to the site after a delay, and retries those that it does not acknowledge."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlsplit

import requests

from luckygas.environment import LOOPBACK
from luckygas.testing.sandbox.telephones import SandboxMessage
from notifications.states import MessageStatus

log = logging.getLogger(__name__)
CALL_SECONDS = 5.0
# Like EVERY8D, tries ten times. The pause between tries doubles from one second up to half a minute.
MAX_TRIES = 10
LONGEST_PAUSE = 30.0


class ReceiptFormat(Protocol):
    """A provider's receipt format.

    `receipt` returns the parameters of the callback. `is_acknowledged` says whether the site's response accepts them;
    otherwise the receipt is sent again.
    """

    def receipt(self, sent: SandboxMessage, state: MessageStatus, reply: str) -> dict[str, str]: ...

    def is_acknowledged(self, status: int, body: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class ReceiptPolicy:
    """The automatic receipt of a message: `outcome` (None: no receipt) after `delay` seconds, sent `times` times.

    `jumbled`: a receipt “sent” follows after the final ones.
    """

    outcome: MessageStatus | None = MessageStatus.DELIVERED
    delay: float = 2.0
    times: int = 1
    jumbled: bool = False


@dataclass(frozen=True, slots=True)
class QueuedReceipt:
    sent: SandboxMessage
    state: MessageStatus
    reply: str = ""
    tries: int = 0


class Receipts:
    """Sends receipts from one thread, in the order of their due times."""

    def __init__(self, providers: Mapping[str, ReceiptFormat], callbacks: Mapping[str, str]) -> None:
        self.policy = ReceiptPolicy()
        self._providers, self._callbacks = providers, callbacks
        self._waiting: list[tuple[float, int, QueuedReceipt]] = []
        self._count = itertools.count()
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="receipts", daemon=True)
        self._session = requests.Session()
        # No proxy and no ~/.netrc, because the site is on this machine.
        self._session.trust_env = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(CALL_SECONDS * 2)
        self._session.close()

    def schedule_automatic(self, sent: SandboxMessage) -> None:
        """Schedules the receipts that the policy gives a message."""
        policy = self.policy
        if policy.outcome is None:
            return
        for _ in range(policy.times):
            self.schedule(QueuedReceipt(sent, policy.outcome), policy.delay)
        if policy.jumbled:
            self.schedule(QueuedReceipt(sent, MessageStatus.SENT), policy.delay)

    def schedule(self, receipt: QueuedReceipt, delay: float = 0.0) -> None:
        with self._changed:
            heapq.heappush(self._waiting, (time.monotonic() + delay, next(self._count), receipt))
            self._changed.notify_all()

    def _run(self) -> None:
        while (receipt := self._next()) is not None:
            if not self._call(receipt) and receipt.tries + 1 < MAX_TRIES:
                self.schedule(replace(receipt, tries=receipt.tries + 1), min(2.0**receipt.tries, LONGEST_PAUSE))

    def _next(self) -> QueuedReceipt | None:
        """Waits for the next due receipt; None after `stop()`."""
        with self._changed:
            while not self._over:
                left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(left)
        return None

    def _call(self, receipt: QueuedReceipt) -> bool:
        """Sends a receipt; a final one also sets the message's state. Returns False if it must be retried.

        Logs neither the URL, which holds a secret, nor the number.
        """
        sent = receipt.sent
        if receipt.state != MessageStatus.SENT and not receipt.reply:
            sent.settle(receipt.state)
        provider, url = self._providers.get(sent.provider), sent.callback or self._callbacks.get(sent.provider, "")
        if provider is None or not url:
            return True
        if not is_loopback(url):
            log.warning("Message %d: receipt not sent, because its URL is on another machine.", sent.number)
            return True
        try:
            answer = self._session.get(
                url, params=provider.receipt(sent, receipt.state, receipt.reply),
                timeout=CALL_SECONDS, allow_redirects=False,
            )  # fmt: skip
        except requests.RequestException as error:
            log.info("Message %d: receipt %s got no answer (%s).", sent.number, receipt.state, type(error).__name__)
            return False
        is_done = provider.is_acknowledged(answer.status_code, answer.text)
        sent.receipts += is_done
        log.info("Message %d: receipt %s sent, HTTP %d.", sent.number, receipt.state, answer.status_code)
        return is_done


def is_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.hostname in LOOPBACK
