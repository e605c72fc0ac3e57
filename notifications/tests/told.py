"""A provider in memory that can be asked, and whose receipts say `id`, `to`, `status` and perhaps `reply`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from notifications.gateways.base import GatewayError, Receipt, ReceiptError, Reply
from notifications.gateways.local import Memory
from notifications.states import Reason, Status


class Told(Memory):
    query_size = 2
    # What it says of which id, what is left, and what it was asked.
    fates: ClassVar[dict[str, Receipt]] = {}
    points: ClassVar[Decimal | None] = None
    asked: ClassVar[list[list[str]]] = []

    def receipt(self, said: Mapping[str, str]) -> Receipt | Reply:
        at = datetime.fromisoformat(said["at"]) if "at" in said else None
        if "reply" in said:
            return Reply(said.get("id", ""), said.get("to", ""), said["reply"], at)
        if said.get("status") not in Status.values:
            raise ReceiptError("status is missing or unknown.")
        return Receipt(said.get("id", ""), said.get("to", ""), Status(said["status"]), raw_status="r", at=at)

    def acknowledgement(self, receipt: Receipt | Reply) -> str:
        return f"read={receipt.provider_message_id}\n"

    def query(self, ids: Sequence[str]) -> list[Receipt]:
        self.asked.append(list(ids))
        return [self.fates[known_as] for known_as in ids if known_as in self.fates]

    def balance(self) -> Decimal | None:
        if self.points is None:
            raise GatewayError("No connection to the provider.", reason=Reason.UNREACHABLE)
        return self.points
