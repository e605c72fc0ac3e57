"""The base class of gateways, with their input and output types, their errors, and the retries."""

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
from notifications.states import LONGEST_ERROR, MessageStatus, Reason

# Maximum tries of one sending while the provider is unreachable, and the pause between tries. The next try may come so
# soon because the provider cannot have seen the message.
MAX_CONNECTIONS = 3
PAUSE_SECONDS = 0.2
ANY_MOBILE = re.compile(r"(?<![0-9])(?:\+?886[\s-]*0?|0)(9[0-9]{2})[\s-]?[0-9]{3}[\s-]?([0-9]{3})(?![0-9])")


@dataclass(frozen=True, slots=True)
class Message:
    """One SMS or e-mail. `id` is the idempotency key, `phone` an E.164 number or an e-mail address.

    `valid_until`: until when the provider may try to deliver, if it supports this; None: the provider decides.
    """

    id: UUID
    phone: str
    text: str
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider accepted the message. Holds the provider's id, raw status and charge, as far as they are known."""

    provider_message_id: str = ""
    raw_status: str = ""
    points: Decimal | None = None


@dataclass(frozen=True, slots=True)
class GatewayHealth:
    """The result of a health check. `reachable`: the provider answers and accepts our account.

    `detail`: an error or HTTP status, if there is one. `balance`: the points left; None: not known.
    """

    reachable: bool
    detail: str = ""
    balance: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A provider's report on one message, from a callback or a query.

    `phone` is E.164, or empty if the provider does not name it. `status` is SENT while the message is under way, and
    None if the provider's `raw_status` is an unknown code. `at` is the provider's time; None: not known.
    """

    provider_message_id: str
    phone: str
    status: MessageStatus | None
    reason: str = ""
    raw_status: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A customer's reply to a message. `phone` is E.164 or empty; `at` is the provider's time, None if not known."""

    provider_message_id: str
    phone: str
    text: str
    at: datetime | None = None


class ReceiptError(ValueError):
    """A callback lacks a parameter or has an invalid one, or the provider has no callbacks. The text repeats no value.

    An unknown code is not such an error: the provider would only repeat the callback, and the code would be lost.
    """


# The account or the gateway is at fault, so the provider would refuse every further message.
STOPPING = frozenset({Reason.CHANNEL_STOPPED, Reason.NO_CREDIT})
# The message was certainly not sent, and another provider, or this one later, may accept it. An unknown code is one of
# these reasons: a message fails for good only if the fault certainly lies in the message.
WAITING = STOPPING | {Reason.BUSY, Reason.UNREACHABLE, Reason.UNKNOWN_CODE}


class GatewayError(Exception):
    """The provider refused a request or did not answer it. `permanent`: a retry would fail as well.

    With Reason.NO_ANSWER the request went out, and the provider may have sent the message. With any other reason it
    was certainly not sent. STOPPING and WAITING say what a reason means for this message and later ones.
    """

    def __init__(self, text: str, *, reason: Reason, permanent: bool = False, raw_status: str = "") -> None:
        super().__init__(text)
        self.reason, self.permanent, self.raw_status = reason, permanent, raw_status


class Gateway:
    """A provider of SMS, or the mail server. A subclass makes one request in `transmit`; `send` handles retries."""

    name = ""
    # Whether the provider sends a message once, however often it gets its id, and for how long it remembers an id.
    idempotent = False
    remembers: timedelta = timedelta.max
    # Texts that `clean` masks.
    secrets: tuple[str, ...] = ()
    # Names of required settings.
    needs: tuple[str, ...] = ()
    # Concurrent connections that the provider allows; None: no limit.
    max_connections: int | None = None
    # Maximum messages in one `query`; 0: the provider answers no status queries.
    query_size = 0
    # URL for receipts, for providers that want it with each message.
    callback_url = ""

    @property
    def sends_receipts(self) -> bool:
        """Whether the provider reports if a message was delivered: it sends receipts or answers status queries."""
        return self.query_size > 0 or type(self).receipt is not Gateway.receipt

    def transmit(self, message: Message) -> Accepted:
        """Makes one request. Raises GatewayError."""
        raise NotImplementedError

    def health(self) -> GatewayHealth:
        return GatewayHealth(reachable=True)

    def balance(self) -> Decimal | None:
        """Returns the points left; None if the provider does not say. Raises GatewayError."""
        return None

    def query(self, ids: Sequence[str]) -> list[Receipt]:
        """Requests the status of at most `query_size` messages, named with the provider's ids.

        The result lacks ids that the provider does not know. Raises GatewayError.
        """
        raise NotImplementedError

    def receipt(self, parameters: Mapping[str, str]) -> Receipt | Reply:
        """Parses the parameters of a callback. Raises ReceiptError."""
        raise ReceiptError("This gateway has no receipts.")

    def acknowledgement(self, receipt: Receipt | Reply) -> str:
        """Returns the plain text that the provider expects; without it a provider may repeat the receipt."""
        return "OK"

    def id_variants(self, provider_message_id: str) -> list[str]:
        """Returns all forms in which the provider writes this id."""
        return [provider_message_id]

    def is_repeatable(self, first_sent: datetime) -> bool:
        """Whether a message first sent at that time can be retried without arriving twice."""
        return self.idempotent and timezone.now() - first_sent < self.remembers

    def send(self, message: Message) -> Accepted:
        """Sends a message, with retries where they cannot send it twice. Raises GatewayError."""
        unanswered: GatewayError | None = None
        connections = MAX_CONNECTIONS
        while True:
            try:
                return self.transmit(message)
            except GatewayError as error:
                if unanswered is not None or (error.reason == Reason.NO_ANSWER and not self.idempotent):
                    # Whatever the second try returns, the first may have sent the message.
                    raise unanswered or error from error
                connections -= 1
                if error.reason == Reason.NO_ANSWER:
                    unanswered = error
                elif error.permanent or error.reason != Reason.UNREACHABLE or not connections:
                    raise
            time.sleep(PAUSE_SECONDS)

    def clean(self, text: str, phone: str) -> str:
        """Prepares an error text for storage: one line, at most LONGEST_ERROR, secrets and numbers masked."""
        for secret in filter(None, self.secrets):
            text = text.replace(secret, "***")
        if national := phone.removeprefix("+886"):
            number = r"(?:\+?886[\s-]*|0)?" + r"[\s().-]*".join(map(re.escape, national))
            text = re.sub(number, phones.mask(phone), text)
        text = ANY_MOBILE.sub(r"0\1-***-\2", text)
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST_ERROR]
