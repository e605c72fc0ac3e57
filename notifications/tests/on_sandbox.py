"""Settings with which the gateways send to the sandbox, and the outcome that tests expect from each of its faults."""

from __future__ import annotations

from typing import Any

from luckygas.testing.sandbox.faults import FaultKind
from luckygas.testing.sandbox.server import Sandbox
from notifications.states import MessageStatus, Reason

GATEWAYS = ("http", "mitake", "every8d")
SECRET = "the-secret-of-callbacks"  # noqa: S105  (a secret of the tests)
# For each provider a code that refuses only this message.
REFUSAL = {"http": "400", "mitake": "u", "every8d": "-5"}
SENT, UNKNOWN, FAILED = (
    (MessageStatus.SENT, ""),
    (MessageStatus.UNKNOWN, Reason.NO_ANSWER),
    (MessageStatus.FAILED, Reason.REFUSED),
)
# Fault → the expected status and reason of the row, and the expected number of delivered messages.
OUTCOMES: dict[FaultKind, tuple[tuple[MessageStatus, str], int]] = {
    FaultKind.SLOW: (SENT, 1), FaultKind.REFUSE: (FAILED, 0), FaultKind.HANG: (UNKNOWN, 1),
    FaultKind.DROP_BEFORE: (UNKNOWN, 0),
    FaultKind.DROP_AFTER: (UNKNOWN, 1), FaultKind.GARBAGE: (UNKNOWN, 1), FaultKind.HTML: (UNKNOWN, 1),
    FaultKind.HUGE: (UNKNOWN, 1),
    FaultKind.TWICE: (SENT, 1),
}  # fmt: skip
# For the generic provider 200 means accepted, whatever the body.
ANY_200 = {FaultKind.GARBAGE, FaultKind.HTML, FaultKind.HUGE}


def outcome(gateway: str, kind: FaultKind) -> tuple[tuple[MessageStatus, str], int]:
    """Returns what is expected under a permanent fault: the row's status and reason, and the number of deliveries."""
    status, count = OUTCOMES[kind]
    return (SENT if gateway == "http" and kind in ANY_200 else status), count


def sandbox_settings(sandbox: Sandbox, gateway: str) -> dict[str, Any]:
    """Returns the settings with which a gateway sends to the sandbox."""
    account = sandbox.operator.account
    return {
        "SMS_GATEWAY": gateway, "SMS_TIMEOUT_SECONDS": 0.4,
        "SMS_PROVIDER_URL": f"{sandbox.url}/sms", "SMS_API_KEY": account.key,
        "MITAKE_URL": f"{sandbox.url}/mitake/", "EVERY8D_URL": f"{sandbox.url}/every8d/",
        "MITAKE_USERNAME": account.username, "EVERY8D_UID": account.username,
        "MITAKE_PASSWORD": account.password, "EVERY8D_PASSWORD": account.password,
    }  # fmt: skip


def use_sandbox(settings: Any, sandbox: Sandbox, gateway: str) -> None:
    for name, value in sandbox_settings(sandbox, gateway).items():
        setattr(settings, name, value)


def callback_url(site_url: str, gateway: str) -> str:
    """Returns the URL for a provider's receipts."""
    return f"{site_url}/api/v1/notifications/callbacks/{gateway}/{SECRET}/"
