"""One search in the logs finds all that one click caused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from asgiref.sync import sync_to_async
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from importing.tests.sheets import make_20kg, make_sheet, row
from luckygas.testing.servers import running
from luckygas.testing.site import Site, manage
from luckygas.testing.waiting import PATIENCE_SECONDS, wait_for
from notifications.models import NotificationHistory
from orders.models import Order
from orders.states import Status
from orders.tests.factories import make_driver, make_office, make_order
from realtime import log
from realtime.models import Event
from realtime.tests.client import open_client, token_for

pytestmark = pytest.mark.django_db(transaction=True)
CLICK = "click-0001"


@pytest.fixture
def site(transactional_db: None) -> Iterator[Site]:
    with running(Site("uvicorn", LOG_FORMAT="json")) as server:
        yield server


def lines(site: Site) -> list[dict[str, Any]]:
    """Of the log, all of which are JSON."""
    return [json.loads(line) for line in site.log.read_text().splitlines()]


def loggers(site: Site, request_id: str) -> set[str]:
    return {line["logger"] for line in lines(site) if line.get("request_id") == request_id}


def confirm(site: Site, order: Order, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "X-Request-ID": CLICK}
    url = f"{site.url}/api/v1/orders/{order.pk}/status/"
    answer = requests.patch(url, json={"status": "confirmed"}, headers=headers, timeout=PATIENCE_SECONDS)
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (200, CLICK)


async def test_a_click_is_followed_into_its_events_its_sms_and_the_logs(site: Site, admin_client: Browser) -> None:
    order, office = await sync_to_async(make_order)(), await sync_to_async(make_office)()
    token = await sync_to_async(token_for)(office)
    async with open_client(f"{site.ws}/office?token={token}") as client:
        await asyncio.to_thread(confirm, site, order, token)
        told = await client.until("notification.sent")
        assert CLICK not in str(told)
    ids = {event.type: event.request_id async for event in Event.objects.all()}
    assert (ids["order.created"], ids["order.status_changed"], ids["notification.sent"]) == ("", CLICK, CLICK)
    message = await NotificationHistory.objects.aget()
    assert message.request_id == CLICK
    # Whoever answers or commits says so afterwards: screens may know it first.
    await asyncio.to_thread(wait_for, lambda: loggers(site, CLICK) == {"luckygas.access", "notifications.sender"})
    numbered = [line for line in lines(site) if line["event"] == "numbered"]
    assert any(line["requests"] == [CLICK] for line in numbered)
    # The hub began with that socket, and does not work for it.
    assert not any({"connection_id", "request_id"} & line.keys() for line in numbered)
    event = await Event.objects.aget(type="notification.sent")
    pages = [
        reverse("admin:notifications_notificationhistory_change", args=[message.pk]),
        reverse("admin:realtime_event_change", args=[event.pk]),
    ]
    for page in pages:
        assert CLICK in (await sync_to_async(admin_client.get)(page)).content.decode()


async def test_a_message_on_a_socket_has_an_id_and_its_lines_the_connections(site: Site) -> None:
    driver = await sync_to_async(make_driver)()
    order = await sync_to_async(make_order)(Status.ASSIGNED, driver=driver)
    token = await sync_to_async(token_for)(driver.user)
    async with open_client(f"{site.ws}/driver?token={token}") as client:
        await client.answer("ack", type="order_update", order_id=order.pk, status="delivering")
        await client.answer("error", type="order_update", order_id=order.pk, status="nonsense")
    done, refused = (line for line in lines(site) if line["event"] == "command")
    assert done["connection_id"] == refused["connection_id"] == client.welcome["connection_id"]
    assert (done["outcome"], refused["outcome"], done["user_id"]) == ("ack", "invalid_message", driver.user_id)
    assert done["request_id"] != refused["request_id"]
    # The hub numbers what was committed, as soon as it comes to it.
    while not await Event.objects.filter(type="order.status_changed", request_id=done["request_id"]).aexists():
        await asyncio.sleep(0.01)


def test_a_command_has_an_id(tmp_path: Path) -> None:
    make_20kg()
    file = tmp_path / "orders.csv"
    tomorrow = str(timezone.localdate() + timedelta(days=1))
    file.write_bytes(make_sheet(*(row(number, date=tomorrow) for number in (1, 2))))
    manage("import_orders", str(file))
    log.number()
    ids = set(Event.objects.filter(type="order.created").values_list("request_id", flat=True))
    assert len(ids) == 1
    assert len(ids.pop()) == 32
