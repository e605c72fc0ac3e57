"""A running site with an SMS provider and a screen: the events after every fault, and the content of the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from asgiref.sync import sync_to_async

from luckygas.testing.leaks import leaking_lines
from luckygas.testing.sandbox.faults import FaultKind, SandboxFault
from luckygas.testing.sandbox.receipts import QueuedReceipt, ReceiptPolicy
from luckygas.testing.sandbox.server import Sandbox
from luckygas.testing.sandbox.telephones import SandboxMessage
from luckygas.testing.site import Site
from luckygas.testing.waiting import PATIENCE_SECONDS, wait_for
from luckygas.tests.test_end_to_end import Rest, signed_in
from notifications.models import NotificationHistory
from notifications.states import MessageStatus
from notifications.tests.on_sandbox import GATEWAYS, REFUSAL, SECRET, callback_url, outcome, sandbox_settings
from orders.models import Order
from orders.tests.factories import make_customer, make_order
from realtime.tests.client import Client

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]
NUMBER = "0912-345-678"
SERVERS = dict(zip(GATEWAYS, ("uvicorn", "daphne", "uvicorn"), strict=True))


@pytest.fixture(params=[GATEWAYS[0], *(pytest.param(name, marks=pytest.mark.long) for name in GATEWAYS[1:])])
def gateway(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def site_and_sandbox(gateway: str, transactional_db: None) -> Iterator[tuple[Site, Sandbox]]:
    """The site with log level DEBUG, and a provider that sends it receipts."""
    site = Site(SERVERS[gateway])
    with Sandbox(callbacks={"every8d": callback_url(site.url, "every8d")}) as sandbox:
        sandbox.operator.receipts.policy = ReceiptPolicy(outcome=None)
        named = {name: str(value) for name, value in sandbox_settings(sandbox, gateway).items()}
        site.extra = named | {"SMS_CALLBACK_SECRET": SECRET, "SMS_CALLBACK_BASE_URL": site.url, "LOG_LEVEL": "DEBUG"}
        try:
            site.start()
            yield site, sandbox
        finally:
            print(site.log.read_text())
            site.stop()


def telephones(sandbox: Sandbox) -> int:
    return len(sandbox.operator.telephones.all())


async def confirm_order(rest: Rest, client: Client) -> dict[str, Any]:
    """Confirms an order. Returns the event about its message."""
    order = await sync_to_async(lambda: make_order(customer=make_customer(phone=NUMBER)))()
    answer = await asyncio.to_thread(rest.call, "PATCH", f"orders/{order.pk}/status/", status="confirmed")
    assert answer.status_code == 200, answer.text
    while (frame := await client.receive())["type"] not in ("notification.sent", "notification.failed"):
        pass
    now = await Order.objects.aget(pk=order.pk)
    assert (now.status, now.version, frame["data"]["order_id"]) == ("confirmed", order.version + 1, order.pk)
    return frame


async def test_screen_gets_the_event_of_every_fault_and_receipt_and_log_masks_secrets(
    site_and_sandbox: tuple[Site, Sandbox], gateway: str
) -> None:
    site, sandbox = site_and_sandbox
    async with signed_in(site) as (rest, client):
        for kind in FaultKind:
            await check_fault(kind, gateway, sandbox, rest, client)
        sandbox.operator.faults.set(None)
        if gateway != "http":
            await check_receipts(gateway, sandbox, rest, client)
    if gateway != "http":
        await asyncio.to_thread(send_invalid_callbacks, site, gateway)
        assert "number 0912-***-678) was refused" in site.log.read_text()
    log = site.log.read_text()
    assert "to 0912-***-678 by" in log
    assert leaking_lines(log) == []
    for secret in (SECRET, "sandbox-password", "sandbox-key", "a-wrong-secret"):
        assert secret not in log


async def check_fault(kind: FaultKind, gateway: str, sandbox: Sandbox, rest: Rest, client: Client) -> None:
    code = REFUSAL[gateway] if kind == FaultKind.REFUSE else ""
    sandbox.operator.faults.set(SandboxFault(kind, code=code, seconds=0.1 if kind == FaultKind.SLOW else 30))
    before, (expected, count) = telephones(sandbox), outcome(gateway, kind)
    frame = await confirm_order(rest, client)
    assert (frame["data"]["status"], frame["data"]["reason"]) == expected, kind
    assert frame["type"] == ("notification.sent" if expected[0] == MessageStatus.SENT else "notification.failed")
    row = await NotificationHistory.objects.aget(pk=frame["data"]["notification_id"])
    assert (row.status, row.status_reason, telephones(sandbox) - before) == (*expected, count), kind


async def check_receipts(gateway: str, sandbox: Sandbox, rest: Rest, client: Client) -> None:
    """Checks that a repeated receipt, and a late one with an older status, cause no event.

    With EVERY8D also checks that a customer's reply reaches the screen.
    """
    for state, type_ in [
        (MessageStatus.DELIVERED, "sent"),
        (MessageStatus.FAILED, "failed"),
        (MessageStatus.EXPIRED, "failed"),
    ]:
        frame = await confirm_order(rest, client)
        sent = sandbox.operator.telephones.all()[-1]
        for status in (state, state, MessageStatus.SENT):
            sandbox.operator.receipts.schedule(QueuedReceipt(sent, status))
        event = await client.until(f"notification.{type_}")
        assert (event["data"]["notification_id"], event["data"]["status"]) == (frame["data"]["notification_id"], state)
        await asyncio.to_thread(wait_for, has_three_receipts(sent))
        assert [each["type"] for each in await client.everything()] == []
    if gateway == "every8d":
        sandbox.operator.receipts.schedule(QueuedReceipt(sent, MessageStatus.SENT, "謝謝，我的電話0912345678"))
        assert "謝謝" in (await client.until("notification"))["data"]["message"]


def has_three_receipts(sent: SandboxMessage) -> Callable[[], bool]:
    return lambda: sent.receipts == 3


def send_invalid_callbacks(site: Site, gateway: str) -> None:
    """Sends invalid callbacks. Checks that those by GET get 400 or 404."""
    valid_url = callback_url(site.url, gateway)
    wrong_url = valid_url.replace(SECRET, "a-wrong-secret")
    names = {"msgid": "77", "dstaddr": NUMBER, "StatusFlag": "4", "BatchID": "77", "RM": NUMBER, "STATUS": "100"}
    for url in (valid_url, wrong_url, valid_url.replace(gateway, "nobody"), valid_url.rstrip("/"), f"{valid_url}more/"):
        for number in (NUMBER, "+886912345678", "0912345678"):
            answer = requests.get(url, params=names | {"dstaddr": number, "RM": number}, timeout=PATIENCE_SECONDS)
            assert answer.status_code in (400, 404), url
            requests.post(url, data={"RM": number, "dstaddr": number}, timeout=PATIENCE_SECONDS)
    requests.request("PUT", valid_url, params=names, timeout=PATIENCE_SECONDS)
