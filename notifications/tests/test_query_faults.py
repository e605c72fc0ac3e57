"""A provider that fails when asked: nothing is made of what it did not say, and nothing is sent."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from luckygas.testing.sandbox.faults import Fault, Kind, On
from luckygas.testing.sandbox.server import Sandbox
from notifications import receipts
from notifications.gateways import get_gateway
from notifications.gateways.base import GatewayError
from notifications.models import GatewayState, NotificationHistory
from notifications.states import Status
from notifications.tests.factories import make_message
from notifications.tests.on_sandbox import GATEWAYS, use

pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - timedelta(hours=2)
REFUSAL = {"http": "500", "mitake": "e", "every8d": "-2"}
SILENT = [kind for kind in Kind if kind not in (Kind.SLOW, Kind.TWICE)]


def overdue(sandbox: Sandbox, gateway: str) -> NotificationHistory:
    """A message that the provider has delivered, and of which the site has not heard."""
    sent, _ = sandbox.operator.take(gateway, "0912-345-678", "瓦斯")
    sent.settle(Status.DELIVERED)
    known_as = sent.serial if gateway == "mitake" else sent.id
    return make_message(
        Status.SENT, gateway=gateway, sent_at=LONG_AGO, created_at=LONG_AGO,
        recipient=sent.phone, provider_message_id=known_as,
    )  # fmt: skip


def fault(gateway: str, kind: Kind) -> Fault:
    code = REFUSAL[gateway] if kind == Kind.REFUSE else ""
    return Fault(kind, code=code, seconds=0.6, on=On.ASK)


def asked_of(gateway: str, row: NotificationHistory) -> list[bool]:
    """For each row that the provider spoke of, whether that was new."""
    with suppress(GatewayError):
        return [new for _, new in receipts.ask(get_gateway(gateway), [row])]
    return []


def everything() -> list[Any]:
    return [list(NotificationHistory.objects.values()), list(GatewayState.objects.values())]


@pytest.mark.parametrize("kind", SILENT)
@pytest.mark.parametrize("gateway", ["mitake", "every8d"])
def test_nothing_changes_and_the_command_says_so(
    gateway: str, kind: Kind, sandbox: Sandbox, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    use(settings, sandbox, gateway)
    # Only this one is asked.
    setattr(settings, {"mitake": "EVERY8D_URL", "every8d": "MITAKE_URL"}[gateway], "")
    row = overdue(sandbox, gateway)
    before = everything()
    sandbox.operator.faults.set(fault(gateway, kind))
    with pytest.raises(SystemExit) as ended:
        call_command("query_sms_status")
    assert (ended.value.code, everything()) == (1, before)
    assert gateway in capsys.readouterr().err
    # So is a question behind a balance that was answered.
    assert not any(asked_of(gateway, row))
    assert (everything(), len(sandbox.operator.telephones.all())) == (before, 1)
    sandbox.operator.faults.set(None)
    call_command("query_sms_status")
    row.refresh_from_db()
    assert row.status == Status.DELIVERED


@pytest.mark.parametrize("kind", [Kind.REFUSE, Kind.HANG, Kind.DROP_BEFORE, Kind.DROP_AFTER])
@pytest.mark.parametrize("gateway", GATEWAYS)
def test_health_says_so(gateway: str, kind: Kind, sandbox: Sandbox, settings: Any) -> None:
    use(settings, sandbox, gateway)
    sandbox.operator.faults.set(fault(gateway, kind))
    health = get_gateway().health()
    assert (health.reachable, health.balance) == (False, None)
    assert "sandbox" not in health.detail


@pytest.mark.parametrize("gateway", ["mitake", "every8d"])
@pytest.mark.parametrize("kind", [Kind.SLOW, Kind.TWICE])
def test_an_answer_that_comes_late_or_twice_is_read(gateway: str, kind: Kind, sandbox: Sandbox, settings: Any) -> None:
    use(settings, sandbox, gateway)
    row = overdue(sandbox, gateway)
    sandbox.operator.faults.set(Fault(kind, seconds=0.1, on=On.ASK))
    call_command("query_sms_status")
    row.refresh_from_db()
    assert row.status == Status.DELIVERED
