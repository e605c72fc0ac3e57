"""The generic provider: JSON over HTTP. 200 is accepted; 400, 413 and 422 say that this message never will be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from django.conf import settings

from notifications.gateways.base import Accepted, Gateway, GatewayError, Health, Message
from notifications.gateways.http_exchange import HEALTH_SECONDS, Answer, exchange, status_reason
from notifications.states import Reason

ABOUT_THE_MESSAGE = frozenset({400, 413, 422})
ID = re.compile(r"[!-~]{1,80}")


class Http(Gateway):
    """`POST {SMS_PROVIDER_URL}`; an Idempotency-Key lets it be repeated."""

    idempotent = True
    needs = ("SMS_PROVIDER_URL", "SMS_API_KEY")

    def __init__(self) -> None:
        self.url = settings.SMS_PROVIDER_URL
        self.secrets = (settings.SMS_API_KEY,)
        self.key: dict[str, str | bytes] = {"Authorization": f"Bearer {settings.SMS_API_KEY}".encode()}

    def transmit(self, message: Message) -> Accepted:
        answer = exchange(
            "POST", self.url, seconds=settings.SMS_TIMEOUT_SECONDS,
            json={"phone": message.phone, "message": message.text, "sender": settings.SMS_SENDER},
            headers=self.key | {"Idempotency-Key": str(message.id)},
        )  # fmt: skip
        if answer.status != 200:
            reason = Reason.REFUSED if answer.status in ABOUT_THE_MESSAGE else status_reason(answer.status)
            said = answer.body or f"HTTP {answer.status}"
            raise GatewayError(said, reason=reason, permanent=True, raw_status=str(answer.status))
        return Accepted(message_id(answer), str(answer.status))

    def health(self) -> Health:
        try:
            answer = exchange("GET", self.url.rstrip("/") + "/health", seconds=HEALTH_SECONDS, headers=self.key)
        except GatewayError as error:
            return Health(reachable=False, detail=str(error))
        return Health(reachable=answer.status == 200, detail=f"HTTP {answer.status}")


def message_id(answer: Answer) -> str:
    """The provider's own id, where its answer is a JSON object that has one, fit to be kept."""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    found = str(said.get("message_id") or said.get("id") or "") if isinstance(said, Mapping) else ""
    return found if ID.fullmatch(found) else ""
