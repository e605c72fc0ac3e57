from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_user
from realtime import api, auth, log
from realtime.models import Event, LogHead

pytestmark = pytest.mark.django_db


def get_events(user: User, **query: Any) -> Any:
    client = Client()
    client.force_login(user)
    return client.get("/api/v1/events/", query)


def test_office_reads_all_office_events() -> None:
    make_order(OrderStatus.CONFIRMED)
    page = get_events(make_office()).json()
    types = [event["type"] for event in page["events"]]
    assert types[-1] == "order.status_changed"
    assert types.count("order.created") == 1
    assert (page["more"], page["last_event_id"], page["epoch"]) == (False, log.head().seq, log.head().epoch)


def test_driver_and_customer_read_only_their_events() -> None:
    driver, customer = make_driver(), make_customer(user=make_user())
    make_order(OrderStatus.ASSIGNED)
    order = make_order(OrderStatus.ASSIGNED, driver=driver, customer=customer)
    for user in (driver.user, customer.user):
        assert user is not None
        page = get_events(user).json()
        assert {event["data"].get("order_id", order.pk) for event in page["events"]} == {order.pk}
        assert not any("reason" in event["data"] for event in page["events"])
        assert page["last_event_id"] == log.head().seq


def test_pages_have_no_gap_and_no_duplicate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_ROWS", 4)
    office = make_office()
    for _ in range(5):
        make_order(OrderStatus.CONFIRMED)
    whole = [event["id"] for event in get_events(office, limit=500).json()["events"]]
    seen, since, more = list[int](), 0, True
    while more:
        page = get_events(office, since=since, limit=3).json()
        seen += [event["id"] for event in page["events"]]
        since, more = page["last_event_id"], page["more"]
    office_ids = [e.seq for e in log.read(0, 1000) if set(e.channels) & {"orders", "customers", "inventory"}]
    assert seen == office_ids
    assert whole == office_ids[: len(whole)]


def test_channel_parameter_selects_one_channel() -> None:
    order = make_order(OrderStatus.CONFIRMED)
    page = get_events(make_office(), channel=f"order:{order.pk}").json()
    assert [event["type"] for event in page["events"]] == ["order.created", "order.status_changed"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"since": -1}, 400, "min_value"),
        ({"since": "x"}, 400, "invalid"),
        ({"since": 10**30}, 400, "max_value"),
        ({"limit": 0}, 400, "min_value"),
        ({"limit": 501}, 400, "max_value"),
        ({"channel": "nonsense"}, 404, "unknown_channel"),
        ({"channel": "customer:1"}, 403, "forbidden"),
        ({"since": 10**6}, 410, "cursor_gone"),
        ({"since": 0, "epoch": "other"}, 410, "cursor_gone"),
    ],
)
def test_refused_query_gets_its_status_and_code(query: dict[str, Any], status: int, code: str) -> None:
    answer = get_events(make_office(), **query)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)


def test_prune_during_a_request_reports_cursor_gone() -> None:
    for _ in range(3):
        make_customer()
    log.assign_event_ids()
    Event.objects.filter(seq__lte=2).delete()  # as if they were pruned after the request read the floor
    assert [get_events(make_office(), since=since).status_code for since in (0, 1, 2)] == [410, 410, 200]


def test_pruned_cursor_reports_cursor_gone() -> None:
    LogHead.objects.create(pk=1, seq=9, floor=5)
    gone = get_events(make_office(), since=4)
    assert (gone.status_code, gone.headers["Last-Event-Id"]) == (410, "9")
    assert gone.headers["Last-Event-Epoch"] == log.head().epoch
    assert get_events(make_office(), since=5).status_code == 200


def test_callers_without_account_or_role_are_refused(settings: Settings) -> None:
    assert Client().get("/api/v1/events/").status_code == 401
    assert get_events(make_user()).status_code == 403


def test_any_signed_in_user_gets_a_ticket() -> None:
    driver, client = make_driver(), Client()
    assert client.post("/api/v1/websocket/ticket/").status_code == 401
    client.force_login(driver.user)
    answer = client.post("/api/v1/websocket/ticket/")
    assert (answer.status_code, answer.json()["expires_in"]) == (201, 30)
    assert auth.identity_of_ticket(answer.json()["ticket"]).driver_id == driver.pk
