"""Restarts every app server behind nginx while users work. No request may fail, and no event may get lost."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
import requests
from asgiref.sync import sync_to_async as make

from luckygas.testing.deployed import AppServer, Deployed, Nginx, running_deployed
from luckygas.testing.waiting import PATIENCE_SECONDS, wait_for
from luckygas.tests.follower import Follower
from luckygas.tests.test_faults import check_log, expected_ids
from notifications.models import NotificationHistory
from notifications.states import MessageStatus
from notifications.tests.factories import make_message
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_user
from realtime.models import Event
from realtime.tests.client import token_for

pytestmark = [pytest.mark.long, pytest.mark.servers, pytest.mark.django_db(transaction=True)]
CALLERS = 4
# The pause between a caller's rounds. Together the callers make more requests than an office of twenty.
PAUSE_SECONDS = 0.03
# How long the last events may take to reach every follower.
LONGEST_DELAY_SECONDS = 5.0
CALLBACK_SECRET = "the-secret-of-callbacks"
# Callbacks come from 127.0.0.1. nginx replaces their X-Forwarded-For by this address.
PROVIDER = {"SMS_CALLBACK_SECRET": CALLBACK_SECRET, "SMS_CALLBACK_ADDRESSES": "127.0.0.1"}


@pytest.fixture
def deployed(transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    with running_deployed(tmp_path, **PROVIDER) as running:
        monkeypatch.setenv("SSL_CERT_FILE", str(running.nginx.certificate))
        yield running


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """`code`: the HTTP status or the error's text; `seconds`: the duration."""

    code: int | str
    seconds: float


class Caller:
    """In turn reads orders, changes one and publishes an event, over one persistent TLS connection like a browser."""

    def __init__(self, root: str, certificate: Path, token: str, order: int) -> None:
        self.answers: list[ApiResponse] = []
        self.published = 0
        self._root, self._order = f"{root}/api/v1", order
        self._session = requests.Session()
        self._session.trust_env, self._session.verify = False, str(certificate)
        self._session.headers["Authorization"] = f"Bearer {token}"

    def run(self, stopped: threading.Event) -> None:
        for turn in count():
            self._request("GET", "/orders/?page_size=5")
            self._request("PATCH", f"/orders/{self._order}/", {"notes": f"{turn}"})
            data = {"order": self._order, "turn": turn}
            self._request("POST", "/events/", {"type": "custom.turn", "channel": "staff", "data": data})
            self.published += 1
            if stopped.wait(PAUSE_SECONDS):
                return

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        started = time.monotonic()
        try:
            code: int | str = self._session.request(
                method, self._root + path, json=body, timeout=PATIENCE_SECONDS
            ).status_code
        except requests.RequestException as error:
            code = repr(error)
        self.answers.append(ApiResponse(code, time.monotonic() - started))


@contextmanager
def calling(callers: list[Caller]) -> Iterator[None]:
    stopped = threading.Event()
    threads = [threading.Thread(target=caller.run, args=[stopped]) for caller in callers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


@dataclass(frozen=True, slots=True)
class Clients:
    callers: list[Caller]
    followers: list[Follower]
    secrets: list[str]


@make
def make_clients(deployed: Deployed) -> Clients:
    """Returns callers that send requests, and followers that receive events."""
    driver, customer = make_driver(), make_customer(user=make_user(), sms_opt_out=True)
    orders = [make_order(OrderStatus.ASSIGNED, driver=driver, customer=customer) for _ in range(CALLERS)]
    tokens = [token_for(make_office()) for _ in range(CALLERS)]
    nginx = deployed.nginx
    callers = [
        Caller(nginx.root, nginx.certificate, token, order.pk) for token, order in zip(tokens, orders, strict=True)
    ]
    paths = [f"/office?token={token}" for token in tokens]
    paths += [f"/driver?token={token_for(driver.user)}", f"?token={token_for(customer.user)}"]
    paths += [f"/track/{orders[0].tracking_token}?x=1"]
    sockets = [f"wss://127.0.0.1:{nginx.port}/api/v1/websocket/ws"]
    followers = [Follower(path.partition("?")[0], path, sockets) for path in paths]
    return Clients(callers, followers, [*tokens, orders[0].tracking_token])


def restart_servers(servers: list[AppServer]) -> None:
    """Restarts the servers like `deploy/rolling-restart`: each one is ready before the next one stops."""
    for server in servers:
        assert server.end() == 0
        server.start()


async def read_complete_log(clients: Clients) -> list[dict[str, Any]]:
    """Returns the whole log. Waits at most LONGEST_DELAY_SECONDS until it and all followers have all their events."""
    deadline = time.monotonic() + LONGEST_DELAY_SECONDS
    while True:
        log = await make(lambda: [dict(row) for row in Event.objects.order_by("seq").values()])()
        behind = [one for one in clients.followers if len(one.arrivals) < len(expected_ids(log, one))]
        published = sum(event["type"] == "custom.turn" for event in log)
        if not (behind or published < sum(caller.published for caller in clients.callers)):
            return log
        if time.monotonic() > deadline:
            return log
        await asyncio.sleep(0.1)


def longest_gap(follower: Follower) -> float:
    """Returns the longest time in seconds between two events of this follower."""
    return max(after.at - before.at for before, after in pairwise(follower.arrivals))


@pytest.mark.timeout(90)
async def test_rolling_restart_fails_no_request_and_loses_no_event(deployed: Deployed) -> None:
    clients = await make_clients(deployed)
    tasks = [asyncio.create_task(follower.follow()) for follower in clients.followers]
    await asyncio.gather(*(follower.connected.wait() for follower in clients.followers))
    with calling(clients.callers):
        await asyncio.to_thread(restart_servers, deployed.servers)
        await asyncio.sleep(0.5)
    log = await read_complete_log(clients)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    answers = [answer for caller in clients.callers for answer in caller.answers]
    failed = [answer for answer in answers if answer.code not in (200, 201, 202, 204)]
    assert failed == []
    office = [follower for follower in clients.followers if follower.name == "/office"]
    print(
        f"{len(answers)} requests, {len(failed)} failed, the slowest {max(one.seconds for one in answers):.2f} s; "
        f"{len(log)} events, {sum(len(one.arrivals) for one in clients.followers)} received; "
        f"longest time without an event on a screen of the office: {max(map(longest_gap, office)):.2f} s"
    )
    assert len(answers) > 100
    # Every follower lost its connection at least once and reconnected.
    assert all(follower.connections > 1 for follower in clients.followers)
    assert [follower.lost for follower in clients.followers] == [0] * len(clients.followers)
    check_log(log, await make(lambda: dict(Order.objects.values_list("pk", "version")))())
    for follower in clients.followers:
        assert [arrival.id for arrival in follower.arrivals] == expected_ids(log, follower), follower.name
    turns = [json.dumps(event["data"], sort_keys=True) for event in log if event["type"] == "custom.turn"]
    assert len(turns) == len(set(turns)) == sum(caller.published for caller in clients.callers)
    await make(check_nginx)(deployed)
    check_logs_hold_no_secrets(deployed, [*clients.secrets, CALLBACK_SECRET])


def check_nginx(deployed: Deployed) -> None:
    """Checks nginx: redirect to https, metrics on a local port, request ids, a page, and the address of callbacks."""
    nginx, message = deployed.nginx, make_message(MessageStatus.SENT, gateway="mitake", provider_message_id="m-1")
    session = requests.Session()
    session.trust_env, session.verify = False, str(nginx.certificate)
    plain = session.get(f"http://127.0.0.1:{nginx.plain}/orders/new/", allow_redirects=False, timeout=PATIENCE_SECONDS)
    assert (plain.status_code, plain.headers["Location"]) == (308, "https://127.0.0.1/orders/new/")
    assert session.get(f"{nginx.root}/health/metrics", timeout=PATIENCE_SECONDS).status_code == 404
    metrics = f"http://127.0.0.1:{nginx.metrics}"
    paths = ("/health/metrics", "/1/health/metrics", "/2/health/metrics", "/3/health/metrics", "/")
    # The two servers demand a token; there is no third server.
    assert [session.get(metrics + path, timeout=PATIENCE_SECONDS).status_code for path in paths] == [
        401,
        401,
        401,
        502,
        404,
    ]
    given = session.get(f"{nginx.root}/health/live", headers={"X-Request-ID": "click-0001"}, timeout=PATIENCE_SECONDS)
    replaced = session.get(f"{nginx.root}/health/live", headers={"X-Request-ID": 'no "id"'}, timeout=PATIENCE_SECONDS)
    assert given.headers["X-Request-ID"] == "click-0001"
    for request in ("click-0001", replaced.headers["X-Request-ID"]):
        wait_for_log(nginx, f'"request":"{request}"')
    assert "nginx" not in session.get(f"{nginx.root}/orders/new/", timeout=PATIENCE_SECONDS).text
    path = f"{nginx.root}/api/v1/notifications/callbacks/mitake/{CALLBACK_SECRET}/"
    query = {"msgid": "m-1", "dstaddr": message.recipient, "statuscode": "1", "StatusFlag": "4"}
    receipt = session.get(path, params=query, headers={"X-Forwarded-For": "203.0.113.9"}, timeout=PATIENCE_SECONDS)
    assert receipt.status_code == 200
    assert NotificationHistory.objects.get(pk=message.pk).status == MessageStatus.DELIVERED


def wait_for_log(nginx: Nginx, text: str) -> None:
    """Waits until the access log contains the text. nginx writes a line after the response."""
    wait_for(lambda: text in nginx.access.read_text(), describe=nginx.access.read_text)


def check_logs_hold_no_secrets(deployed: Deployed, secrets: list[str]) -> None:
    """Checks the access and the error log, once the access log has the lines about URLs with a secret."""
    wait_for_log(deployed.nginx, "/api/v1/websocket/ws/track/***")
    wait_for_log(deployed.nginx, "/api/v1/notifications/callbacks/mitake/***")
    written = deployed.nginx.access.read_text() + deployed.nginx.log.read_text()
    assert [secret for secret in secrets if secret in written] == []
