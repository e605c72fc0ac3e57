"""Socket commands: they have the limits of the REST API, and positions are validated."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from accounts.api.tokens import revoke_family
from notifications import sender
from notifications.models import NotificationHistory
from notifications.tests.factories import make_quiet_order
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.api.client import Api, codes
from orders.tests.factories import make_driver, make_office, make_order
from realtime import commands, positions
from realtime.channels import Identity
from realtime.commands import execute
from web.refusals import Refusal

FAR_TIMES = ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00"]


def send_update(user: Any, order: Order, **fields: Any) -> str:
    """Executes an order update. Returns the type of the answer or the code of the refusal."""
    return send_update_as(Identity.of(user), order, **fields)


def send_update_as(identity: Identity, order: Order, **fields: Any) -> str:
    message = {"type": "order_update", "order_id": order.pk, "status": "arriving"} | fields
    try:
        return str(commands.execute(identity, message)["type"])
    except Refusal as refusal:
        return refusal.code


@pytest.mark.django_db
@pytest.mark.parametrize("far", [*FAR_TIMES, -367, 367])
def test_eta_more_than_a_year_away_is_refused_by_socket_and_rest(far: str | int) -> None:
    """`far` is a time as text, or a number of days from now."""
    eta = far if isinstance(far, str) else (timezone.now() + timedelta(days=far)).isoformat()
    driver = make_driver()
    order = make_order(OrderStatus.DELIVERING, driver=driver)
    assert send_update(driver.user, order, details={"eta": eta}) == "invalid_message"
    answer = Api(make_office()).patch(f"orders/{order.pk}/", {"eta": eta})
    assert (answer.status_code, [attr for _code, attr in codes(answer)]) == (400, ["eta"])
    after = Order.objects.get(pk=order.pk)
    assert (after.status, after.eta, after.version) == (OrderStatus.DELIVERING, None, order.version)


@pytest.mark.django_db
@pytest.mark.parametrize("at", FAR_TIMES)
def test_impossible_time_of_a_report_is_refused_by_socket_and_rest(at: str) -> None:
    driver = make_driver()
    order = make_order(OrderStatus.DELIVERING, driver=driver)
    refused = send_update(driver.user, order, at=at)
    answer = Api(driver.user).patch(f"orders/{order.pk}/status/", {"status": "arriving", "at": at})
    assert (refused in ("invalid_time", "invalid_message"), answer.status_code) == (True, 400)
    assert Order.objects.get(pk=order.pk).version == order.version


@pytest.mark.django_db
def test_eta_within_a_year_is_accepted() -> None:
    driver, soon = make_driver(), timezone.now() + timedelta(minutes=20)
    order = make_order(OrderStatus.DELIVERING, driver=driver)
    assert send_update(driver.user, order, details={"eta": soon.isoformat()}) == "ack"
    assert Order.objects.get(pk=order.pk).eta == soon


@pytest.mark.django_db
def test_command_on_a_socket_with_revoked_rights_is_refused() -> None:
    driver = make_driver()
    order = make_order(OrderStatus.DELIVERING, driver=driver)
    signed_in, by_password = Identity.of(driver.user, "one"), Identity.of(driver.user, "two")
    revoke_family("one")
    assert send_update_as(signed_in, order) == "rights_ended"
    driver.user.set_password("another horse")
    driver.user.save()
    assert send_update_as(by_password, order) == "rights_ended"
    assert Order.objects.get(pk=order.pk).status == OrderStatus.DELIVERING
    assert send_update(driver.user, order) == "ack"


@pytest.mark.django_db(transaction=True)
def test_sms_of_late_reports_are_delayed() -> None:
    driver, now = make_driver(), timezone.now()
    order = make_quiet_order("assigned", driver=driver, created_at=now - timedelta(hours=1))
    identity = Identity.of(driver.user)
    for status, minutes in (("delivering", 2), ("driver_arrived", 1)):
        at = (now - timedelta(minutes=minutes)).isoformat()
        message = {"type": "order_update", "order_id": order.pk, "status": status, "at": at}
        assert execute(identity, message)["type"] == "ack"
    rows = NotificationHistory.objects.filter(order=order)
    assert {(row.status, row.send_after is None) for row in rows} == {("pending", False)}
    message = {"type": "delivery.confirmed", "order_id": order.pk, "confirmation_type": "manual"}
    assert execute(identity, message)["type"] == "ack"
    assert sender.pool().drain(10)
    assert rows.get(kind="order_delivered").status == "sent"


TAIPEI = ZoneInfo("Asia/Taipei")
HERE = {"latitude": 25.0330, "longitude": 121.5654}


def iso_time_in(**delta: float) -> str:
    return (timezone.now() + timedelta(**delta)).isoformat()


def test_position_is_read_with_all_fields() -> None:
    stamp = timezone.now() - timedelta(hours=1)
    location = positions.newest_location(
        7, HERE | {"speed": 30, "heading": 45.5, "accuracy": 10, "timestamp": stamp.astimezone(TAIPEI).isoformat()}
    )
    assert (location.driver_id, location.latitude, location.longitude) == (7, 25.0330, 121.5654)
    assert (location.speed, location.heading, location.accuracy) == (30, 45.5, 10)
    assert location.recorded_at == stamp


def test_timestamp_and_motion_are_optional() -> None:
    location = positions.newest_location(7, HERE | {"speed": None})
    assert abs(timezone.now() - location.recorded_at) < timedelta(seconds=5)
    assert (location.speed, location.heading, location.accuracy) == (None, None, None)


def test_newest_position_of_a_batch_counts() -> None:
    minutes = [3, 1, 2]
    batch = [HERE | {"speed": ago, "timestamp": iso_time_in(minutes=-ago)} for ago in minutes]
    assert positions.newest_location(7, {"locations": batch}).speed == 1


def test_last_position_of_a_batch_without_times_counts() -> None:
    assert positions.newest_location(7, {"locations": [HERE, HERE | {"speed": 1}, HERE | {"speed": 2}]}).speed == 2


INVALID_FIELDS = [
    {"latitude": None},
    {"latitude": "25.03"},
    {"latitude": True},
    {"latitude": [25]},
    {"latitude": 90.0001},
    {"latitude": -91},
    {"latitude": 10**400},
    {"longitude": 180.5},
    {"longitude": json.loads("1e999")},
    {"longitude": float("nan")},
    {"speed": -1},
    {"speed": 301},
    {"speed": "fast"},
    {"heading": 361},
    {"heading": -0.1},
    {"accuracy": -1},
    {"accuracy": 100_001},
    {"timestamp": "yesterday"},
    {"timestamp": ""},
    {"timestamp": 1763800000},
    {"timestamp": "2026-11-22T10:00:00"},
    {"timestamp": "2026-13-22T10:00:00Z"},
]


@pytest.mark.parametrize("wrong", INVALID_FIELDS, ids=str)
def test_invalid_position_is_refused_and_skipped_in_a_batch(wrong: dict[str, Any]) -> None:
    for message in (HERE | wrong, {"locations": [HERE | wrong, HERE | wrong]}):
        with pytest.raises(Refusal) as refused:
            positions.newest_location(7, message)
        assert refused.value.code == "invalid_message"
        assert next(iter(wrong)) in str(refused.value)
    for batch in ([HERE | {"accuracy": 1}, HERE | wrong], [HERE | wrong, HERE | {"accuracy": 1}, 1]):
        assert positions.newest_location(7, {"locations": batch}).accuracy == 1


IMPOSSIBLE_TIMES = [
    pytest.param(iso_time_in(weeks=-1024), id="1024 weeks ago"), pytest.param(iso_time_in(days=365), id="in a year"),
    pytest.param(iso_time_in(hours=1), id="in an hour"), pytest.param(iso_time_in(minutes=20), id="in 20 minutes"),
    "2001-01-01T00:00:00Z", "1970-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59",
    # JavaScript writes such years when it takes microseconds for milliseconds.
    "+057862-08-14T07:33:20.000Z", "-271821-04-20T00:00:00.000Z",
]  # fmt: skip


@pytest.mark.parametrize("stamp", IMPOSSIBLE_TIMES)
def test_impossible_timestamp_becomes_the_time_of_receipt(stamp: Any) -> None:
    before = timezone.now()
    for message in (
        HERE | {"timestamp": stamp},
        {"locations": [HERE | {"timestamp": iso_time_in(minutes=-5)}, HERE | {"timestamp": stamp}]},
    ):
        assert before <= positions.newest_location(7, message).recorded_at <= timezone.now()


def test_position_stored_offline_keeps_its_time() -> None:
    for delta in ({"seconds": -1}, {"hours": -13}, {"days": -29}):
        stamp = iso_time_in(**delta)
        assert positions.newest_location(7, HERE | {"timestamp": stamp}).recorded_at == datetime.fromisoformat(stamp)


@pytest.mark.parametrize("batch", [[], [HERE] * 101, {}, None, "x", [1], [None]], ids=lambda batch: str(batch)[:10])
def test_invalid_batch_is_refused(batch: Any) -> None:
    with pytest.raises(Refusal):
        positions.newest_location(7, {"locations": batch})
