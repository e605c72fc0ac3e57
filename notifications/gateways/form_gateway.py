"""What the providers of Taiwan have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from notifications.gateways.base import Gateway, GatewayError, Health, Receipt
from notifications.gateways.fields import moment
from notifications.gateways.http_exchange import exchange, status_reason
from notifications.states import Reason, Status


def unclear(body: str, raw_status: str = "") -> GatewayError:
    """For an answer that says neither yes nor no: nobody knows what became of the request."""
    text = f"The provider's answer was not understood: “{body[:100]}”."
    return GatewayError(text, reason=Reason.NO_ANSWER, raw_status=raw_status)


Fates = Mapping[str, tuple[Status, str]]
Refusals = Mapping[str, tuple[Reason, Any]]


def refusal(code: str, words: str, known: Refusals) -> GatewayError:
    """Why a message was not accepted: what `code` means where we know it, and always the provider's own `words`."""
    reason, ours = known.get(code, (Reason.UNKNOWN_CODE, Reason.UNKNOWN_CODE.label))
    text = f"{code}: {ours} ({words})" if words else f"{code}: {ours}"
    return GatewayError(text, reason=reason, permanent=True, raw_status=code)


def fate(known: Fates, known_as: str, phone: str, code: str, at: str) -> Receipt:
    """What a provider's code says of the message that it knows as `known_as`, and of the time `at`."""
    status, reason = known.get(code, (None, Reason.UNKNOWN_CODE))
    return Receipt(known_as, phone, status, reason, raw_status=code, at=moment(at))


class FormGateway(Gateway):
    """A provider that is asked by forms and answers 200 to everything: the body alone tells success from error."""

    def __init__(self, url: str, **account: str) -> None:
        """`account`: user name and password, as the provider names them in each form."""
        self.url, self.account, self.secrets = url.rstrip("/") + "/", account, tuple(account.values())

    def ask(self, path: str, fields: dict[str, str], seconds: float = 0) -> str:
        """The whole body of an answer. Raises GatewayError."""
        seconds = seconds or settings.SMS_TIMEOUT_SECONDS
        answer = exchange("POST", self.url + path, seconds=seconds, data=self.account | fields)
        if answer.status != 200:
            said = f"HTTP {answer.status}"
            raise GatewayError(f"{said}: {answer.body}", reason=status_reason(answer.status), raw_status=said)
        if not answer.whole:
            raise unclear(answer.body)
        return answer.body

    def health(self) -> Health:
        try:
            return Health(reachable=True, balance=self.balance())
        except GatewayError as error:
            return Health(reachable=False, detail=self.clean(str(error), ""))
