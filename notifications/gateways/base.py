"""What every gateway shares: what it is given and gives back, its one error, and how often it tries."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from uuid import UUID

from notifications.states import Reason
from orders import phones

# A connection that was never made is tried again at once: the provider cannot have seen the message.
CONNECTIONS = 3
PAUSE_SECONDS = 0.2
ERROR_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Message:
    """One SMS; `id` is the idempotency key, `phone` E.164."""

    id: UUID
    phone: str
    text: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message: its own id for it and its raw status, where it said them."""

    provider_message_id: str = ""
    raw_status: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the provider can be reached, and what it said."""

    reachable: bool
    detail: str = ""


class GatewayError(Exception):
    """The message was not accepted. `permanent`: trying again changes nothing.

    With Reason.NO_ANSWER the request went out and may have been obeyed; otherwise it certainly was not.
    """

    def __init__(self, text: str, *, reason: Reason, permanent: bool = False, raw_status: str = "") -> None:
        super().__init__(text)
        self.reason, self.permanent, self.raw_status = reason, permanent, raw_status


class Gateway:
    """A way to send SMS. A provider says in `transmit` how one request is made; how often is decided here."""

    name = ""
    # Whether the provider sends a message only once, however often it is given with the same id.
    idempotent = False
    # Never to be seen in a log or an error.
    secrets: tuple[str, ...] = ()

    def transmit(self, message: Message) -> Accepted:
        """Makes one request. Raises GatewayError."""
        raise NotImplementedError

    def health(self) -> Health:
        return Health(reachable=True)

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
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:ERROR_LENGTH]
