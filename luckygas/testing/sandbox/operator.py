"""The operator behind all three protocols: an account, the telephones, the faults and the receipts."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from luckygas.testing.sandbox.faults import Faults
from luckygas.testing.sandbox.receipts import ReceiptFormat, Receipts
from luckygas.testing.sandbox.telephones import SandboxAccount, SandboxMessage, Telephones


class Operator:
    """The state that the three protocols share.

    `formats`: the receipt format of each provider that sends receipts, by name. `callbacks`: their default URLs, for
    messages without a URL of their own. `balance`: points in the account at the start.
    """

    def __init__(
        self, account: SandboxAccount, formats: Mapping[str, ReceiptFormat], callbacks: Mapping[str, str], balance: int
    ) -> None:
        self.account = account
        self.telephones = Telephones(balance)
        self.faults = Faults()
        self.over = threading.Event()
        self.receipts = Receipts(formats, callbacks)

    def accept(
        self, provider: str, phone: str, text: str, *, key: str = "", callback: str = ""
    ) -> tuple[SandboxMessage, bool]:
        """Like `Telephones.accept`, and schedules the receipts of a new message."""
        sent, is_repeated = self.telephones.accept(provider, phone, text, key=key, callback=callback)
        if not is_repeated:
            self.receipts.schedule_automatic(sent)
        return sent, is_repeated

    def stop(self) -> None:
        """Ends delayed answers and stops sending receipts."""
        self.over.set()
        self.receipts.stop()
