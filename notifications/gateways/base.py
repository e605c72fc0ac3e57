"""What every gateway shares: what it is given and gives back, its one error, and how often it tries."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from customers import phones
from notifications.states import LONGEST_ERROR, Reason, Status

# A connection that was never made is tried again at once: the provider cannot have seen the message.
CONNECTIONS = 3
PAUSE_SECONDS = 0.2
ANY_MOBILE = re.compile(r"(?<![0-9])(?:\+?886[\s-]*0?|0)(9[0-9]{2})[\s-]?[0-9]{3}[\s-]?([0-9]{3})(?![0-9])")


@dataclass(frozen=True, slots=True)
class Message:
    """One SMS; `id` is the idempotency key, `phone` E.164.

    `valid_until`: when a telephone that was off gets it no more; None: as long as the provider tries.
    """

    id: UUID
    phone: str
    text: str
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message: its own id for it, its raw status and what it charged, where it said them."""

    provider_message_id: str = ""
    raw_status: str = ""
    points: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the provider can be reached and takes our account, what it said, and the points left where it says so."""

    reachable: bool
    detail: str = ""
    balance: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider says of one message, unasked or when asked: how far it came, and when.

    `phone` is E.164, and empty where the provider does not name it; `status` is SENT while it is under way, and None
    where nobody knows what the provider's `raw_status` means.
    """

    provider_message_id: str
    phone: str
    status: Status | None
    reason: str = ""
    raw_status: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a customer answered to a message."""

    provider_message_id: str
    phone: str
    text: str
    at: datetime | None = None


class ReceiptError(ValueError):
    """The parameters of a callback are not those of this provider; the text says which one, and repeats no value.

    A code that nobody knows is none: a provider repeats what it is told to be wrong, and what it said would be lost.
    """


# What says that the account or the channel is at fault and not this message: no further one would be taken either.
STOPPING = frozenset({Reason.CHANNEL_STOPPED, Reason.NO_CREDIT})
# The channel did not take it: it was certainly not sent, another provider may well take it, and this one later. A code
# that nobody knows counts as the channel's: that a message is at fault must be known for certain, because it then fails
# for good.
WAITING = STOPPING | {Reason.BUSY, Reason.UNREACHABLE, Reason.UNKNOWN_CODE}


class GatewayError(Exception):
    """The message was not accepted. `permanent`: trying again changes nothing.

    With Reason.NO_ANSWER the request went out and may have been obeyed; otherwise it certainly was not. What the other
    reasons mean for this message and those to come is said by STOPPING and WAITING.
    """

    def __init__(self, text: str, *, reason: Reason, permanent: bool = False, raw_status: str = "") -> None:
        super().__init__(text)
        self.reason, self.permanent, self.raw_status = reason, permanent, raw_status


class Gateway:
    """A way to send SMS. A provider says in `transmit` how one request is made; how often is decided here."""

    name = ""
    # Whether the provider sends a message only once, however often it is given with the same id, and for how long
    # after the first time.
    idempotent = False
    remembers: timedelta = timedelta.max
    # Never to be seen in a log or an error.
    secrets: tuple[str, ...] = ()
    # Names of settings without which it cannot work.
    needs: tuple[str, ...] = ()
    # Connections at once that the provider allows; None: as many as there are senders.
    most_connections: int | None = None
    # Messages that one `query` may name; 0: the provider cannot be asked.
    query_size = 0
    # Where the provider is told to send receipts, if it wants to be told with each message.
    callback_url = ""

    @property
    def tells_fate(self) -> bool:
        """Whether it can be learned from the provider that a message arrived: it sends receipts, or may be asked."""
        return self.query_size > 0 or type(self).receipt is not Gateway.receipt

    def transmit(self, message: Message) -> Accepted:
        """Makes one request. Raises GatewayError."""
        raise NotImplementedError

    def health(self) -> Health:
        return Health(reachable=True)

    def balance(self) -> Decimal | None:
        """Points left; None: the provider does not say. Raises GatewayError."""
        return None

    def query(self, ids: Sequence[str]) -> list[Receipt]:
        """One request: what became of at most `query_size` messages, by the provider's ids; unknown ones are left out.

        Raises GatewayError.
        """
        raise NotImplementedError

    def receipt(self, said: Mapping[str, str]) -> Receipt | Reply:
        """What the parameters of a callback say. Raises ReceiptError."""
        raise ReceiptError("This gateway has no receipts.")

    def acknowledgement(self, receipt: Receipt | Reply) -> str:
        """The plain text that the provider wants to read, or it repeats the receipt."""
        return "OK"

    def spellings(self, provider_message_id: str) -> list[str]:
        """All ways in which the provider may write this id of its own."""
        return [provider_message_id]

    def repeatable(self, first_sent: datetime) -> bool:
        """Whether what was given to the provider at that time may be given again without being sent twice."""
        return self.idempotent and timezone.now() - first_sent < self.remembers

    def send(self, message: Message) -> Accepted:
        """Sends a message, trying again where that cannot send it twice. Raises GatewayError."""
        unanswered: GatewayError | None = None
        connections = CONNECTIONS
        while True:
            try:
                return self.transmit(message)
            except GatewayError as error:
                if unanswered is not None or (error.reason == Reason.NO_ANSWER and not self.idempotent):
                    # Whatever the second try says: the first may have been obeyed.
                    raise unanswered or error from error
                connections -= 1
                if error.reason == Reason.NO_ANSWER:
                    unanswered = error
                elif error.permanent or error.reason != Reason.UNREACHABLE or not connections:
                    raise
            time.sleep(PAUSE_SECONDS)

    def clean(self, text: str, phone: str) -> str:
        """What a provider or a library said, fit to be kept: short, on one line, without secrets or the number."""
        for secret in filter(None, self.secrets):
            text = text.replace(secret, "***")
        if national := phone.removeprefix("+886"):
            number = r"(?:\+?886[\s-]*|0)?" + r"[\s().-]*".join(map(re.escape, national))
            text = re.sub(number, phones.mask(phone), text)
        text = ANY_MOBILE.sub(r"0\1-***-\2", text)
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST_ERROR]
