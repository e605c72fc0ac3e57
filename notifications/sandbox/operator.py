"""What is behind all three protocols: an account, the telephones, the faults and the receipts."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import ModuleType

from notifications.sandbox import every8d, generic, mitake
from notifications.sandbox.faults import Faults
from notifications.sandbox.receipts import Receipts
from notifications.sandbox.telephones import BALANCE, Account, Sent, Telephones

PROVIDERS: dict[str, ModuleType] = {module.NAME: module for module in (generic, mitake, every8d)}


class Operator:
    """`callbacks`: where a provider tells its receipts, for messages that do not say so themselves."""

    def __init__(self, account: Account, callbacks: Mapping[str, str], balance: int = BALANCE) -> None:
        self.account = account
        self.telephones = Telephones(balance)
        self.faults = Faults()
        self.over = threading.Event()
        self.receipts = Receipts({"mitake": mitake, "every8d": every8d}, callbacks)

    def take(self, provider: str, phone: str, text: str, *, key: str = "", callback: str = "") -> tuple[Sent, bool]:
        """As `Telephones.take`; of a new message a receipt follows."""
        sent, repeated = self.telephones.take(provider, phone, text, key=key, callback=callback)
        if not repeated:
            self.receipts.expect(sent)
        return sent, repeated

    def stop(self) -> None:
        """Whoever waits for an answer is let go; no receipt is told any more."""
        self.over.set()
        self.receipts.stop()
