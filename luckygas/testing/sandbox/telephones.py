"""The customers' telephones: stores the newest thousand messages in memory."""

from __future__ import annotations

import hmac
import threading
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from customers import phones
from notifications import carrier_rules
from notifications.states import MessageStatus

MAX_STORED = 1000
# Points of a new account. A segment costs one point.
BALANCE = 1000


class SmsRefused(Exception):
    """The message is not accepted."""


class NoNumber(SmsRefused):
    """The recipient is not a mobile number of Taiwan."""


class NoCredit(SmsRefused):
    """The account has too few points."""


@dataclass(frozen=True, slots=True)
class SandboxAccount:
    """The sandbox's account: the key for `http`, user name and password for the other protocols."""

    key: str = "sandbox-key"
    username: str = "sandbox"
    password: str = "sandbox-password"  # noqa: S105  (public, and protects nothing)

    def has_key(self, key: str) -> bool:
        return hmac.compare_digest(key.encode(), self.key.encode())

    def is_known(self, username: str, password: str) -> bool:
        return username == self.username and hmac.compare_digest(password.encode(), self.password.encode())


@dataclass
class SandboxMessage:
    """One message. `number` counts messages from 1. Providers send `id` (a UUID) or `serial` (nine digits) instead."""

    provider: str
    phone: str
    text: str
    callback: str
    number: int
    serial: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    at: datetime = field(default_factory=timezone.now)
    state: MessageStatus = MessageStatus.SENT
    settled_at: datetime | None = None
    # Count of acknowledged receipts.
    receipts: int = 0

    @property
    def segments(self) -> int:
        return carrier_rules.segments(self.text)

    @property
    def local_number(self) -> str:
        return "0" + self.phone.removeprefix("+886")

    @property
    def display_number(self) -> str:
        return phones.display(self.phone)

    @property
    def masked(self) -> str:
        return phones.mask(self.phone)

    def settle(self, state: MessageStatus) -> None:
        self.state, self.settled_at = state, timezone.now()


class Telephones:
    """The newest MAX_STORED accepted messages. Thread-safe."""

    def __init__(self, balance: int = BALANCE) -> None:
        self._lock = threading.Lock()
        self._sent: OrderedDict[int, SandboxMessage] = OrderedDict()
        self._keys: dict[tuple[str, str], int] = {}
        self._accepted = 0
        # Starts from the clock, so that a restarted sandbox does not reuse serials.
        self._first = int(time.time() * 10) % 900_000_000
        self.balance = balance

    def accept(
        self, provider: str, phone: str, text: str, *, key: str = "", callback: str = ""
    ) -> tuple[SandboxMessage, bool]:
        """Accepts a message. Returns it, and whether its key was known. Raises SmsRefused.

        For a known key returns the earlier message and changes nothing.
        """
        number = mobile(phone)
        with self._lock:
            if known := self._sent.get(self._keys.get((provider, key), 0) if key else 0):
                return known, True
            if (cost := carrier_rules.segments(text)) > self.balance:
                raise NoCredit
            self.balance -= cost
            self._accepted += 1
            sent = SandboxMessage(
                provider, number, text, callback, self._accepted, f"{self._first + self._accepted:09d}"
            )
            self._sent[sent.number] = sent
            if key:
                self._keys[provider, key] = sent.number
            self._drop_oldest()
        return sent, False

    def _drop_oldest(self) -> None:
        """Drops the oldest message, and its key, if there are too many."""
        if len(self._sent) > MAX_STORED:
            oldest, _ = self._sent.popitem(last=False)
            self._keys = {key: number for key, number in self._keys.items() if number != oldest}

    def all(self) -> list[SandboxMessage]:
        """Returns the messages, the oldest first."""
        with self._lock:
            return list(self._sent.values())

    def get(self, number: int) -> SandboxMessage | None:
        with self._lock:
            return self._sent.get(number)


def mobile(text: str) -> str:
    """Normalises a mobile number of Taiwan to E.164. Raises NoNumber."""
    try:
        number = phones.normalise(text)
    except phones.InvalidPhone:
        raise NoNumber from None
    if not phones.is_mobile(number):
        raise NoNumber
    return number
