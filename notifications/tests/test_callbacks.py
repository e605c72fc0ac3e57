from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from notifications import receipts
from notifications.gateways import callback_url, get_gateway
from notifications.gateways.base import Receipt
from notifications.models import GatewayState, NotificationHistory
from notifications.states import MessageStatus, Reason
from notifications.tests.factories import make_message, make_quiet_order
from orders.tests.factories import make_customer
from orders.tests.threads import run_concurrently

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_gateway")]
PATH = "/api/v1/notifications/callbacks/fake/s3cret/"
PHONE = "+886912345678"


def make_sent(status: str = MessageStatus.SENT, **fields: Any) -> NotificationHistory:
    order = make_quiet_order(customer=make_customer(phone=PHONE))
    defaults = {"gateway": "fake", "provider_message_id": "m-1", "sent_at": timezone.now(), "recipient": PHONE}
    return make_message(status, **({"order": order} | defaults | fields))


def call(path: str = PATH, **parameters: str) -> Any:
    return Client(enforce_csrf_checks=True).get(path, {"id": "m-1", "to": PHONE, "status": "delivered"} | parameters)


def stored_rows() -> list[Any]:
    return [
        list(NotificationHistory.objects.values()), list(GatewayState.objects.values()),
        list(NotificationHistory.objects.values_list("trail__id")),
    ]  # fmt: skip


def test_receipt_is_stored_and_acknowledged_in_providers_format() -> None:
    at = timezone.now() - timedelta(minutes=5)
    row = make_sent(sent_at=at - timedelta(minutes=1))
    answer = call(at=at.isoformat())
    assert (answer.status_code, answer["Content-Type"], answer.content) == (
        200, "text/plain; charset=utf-8", b"read=m-1\n"
    )  # fmt: skip
    row.refresh_from_db()
    assert (row.status, row.delivered_at, row.raw_status) == (MessageStatus.DELIVERED, at, "r")
    assert [note.status for note in row.trail.all()] == [MessageStatus.DELIVERED]
    state = GatewayState.objects.get(gateway="fake")
    assert state.last_receipt_at
    assert timezone.now() - state.last_receipt_at < timedelta(minutes=1)


def test_receipt_may_be_posted_as_form() -> None:
    row = make_sent()
    form, type_ = "id=m-1&to=%2B886912345678&status=failed", "application/x-www-form-urlencoded"
    answer = Client(enforce_csrf_checks=True).post(PATH, form, content_type=type_)
    row.refresh_from_db()
    assert (answer.status_code, row.status) == (200, MessageStatus.FAILED)


@pytest.mark.parametrize(
    ("gateway", "parameters", "answer"),
    [
        (
            "mitake", {"msgid": "13", "dstaddr": "0912345678", "statuscode": "1", "StatusFlag": "4"},
            b"magicid=sms_gateway_rpack\nmsgid=13\n",
        ),
        ("every8d", {"BatchID": "#13", "RM": "+886912345678", "STATUS": "100", "RT": "20261122120000"}, b"OK"),
    ],
)  # fmt: skip
def test_receipts_of_real_providers_are_read(gateway: str, parameters: dict[str, str], answer: bytes) -> None:
    row = make_sent(gateway=gateway, provider_message_id="#13")
    response = Client().get(PATH.replace("fake", gateway), parameters)
    row.refresh_from_db()
    assert (response.status_code, response.content, row.status) == (200, answer, MessageStatus.DELIVERED)


@pytest.mark.parametrize(
    ("gateway", "parameters"),
    [
        ("mitake", {"msgid": "13", "dstaddr": "0912345678", "StatusFlag": "44"}),
        ("every8d", {"BatchID": "13", "RM": "0912345678", "STATUS": "500"}),
        ("every8d", {"BatchID": "13", "RM": "0912345678", "STATUS": "x" * 3000}),
    ],
)
def test_unknown_code_is_acknowledged_and_stored_once(gateway: str, parameters: dict[str, str]) -> None:
    row = make_sent(gateway=gateway, provider_message_id="13")
    assert [Client().get(PATH.replace("fake", gateway), parameters).status_code for _ in range(3)] == [200] * 3
    row.refresh_from_db()
    (note,) = row.trail.all()
    assert (row.status, row.raw_status, note.status, note.reason) == (
        MessageStatus.SENT,
        "",
        "sent",
        Reason.UNKNOWN_CODE,
    )
    assert (note.raw_status, note.gateway) == ((parameters.get("STATUS") or parameters["StatusFlag"])[:20], gateway)
    assert GatewayState.objects.get(gateway=gateway).last_receipt_at


@pytest.mark.parametrize("offset", [timedelta(minutes=-1), timedelta(days=-365), timedelta(hours=1)])
def test_time_before_sending_or_in_the_future_is_ignored(offset: timedelta) -> None:
    now = timezone.now()
    row = make_sent(sent_at=now - timedelta(minutes=5))
    call(at=((now if offset > timedelta() else now - timedelta(minutes=5)) + offset).isoformat())
    row.refresh_from_db()
    assert row.delivered_at
    assert abs(timezone.now() - row.delivered_at) < timedelta(minutes=1)


def test_retried_message_may_have_been_delivered_at_first_try() -> None:
    now = timezone.now()
    row = make_sent(MessageStatus.UNKNOWN, sent_at=None, claimed_at=now, attempts=2)
    row.trail.create(status=MessageStatus.SENDING, at=now - timedelta(hours=1))
    at = now - timedelta(minutes=50)
    call(at=at.isoformat())
    row.refresh_from_db()
    assert row.delivered_at == at


def test_repeated_and_unordered_receipts_give_one_status() -> None:
    row = make_sent()
    for status in ("delivered", "sent", "delivered", "expired", "failed", "delivered"):
        assert call(status=status).status_code == 200
    row.refresh_from_db()
    assert (row.status, row.trail.count()) == (MessageStatus.DELIVERED, 1)


@pytest.mark.parametrize("before", [MessageStatus.UNKNOWN, MessageStatus.EXPIRED])
def test_late_receipt_still_reports_delivery(before: str) -> None:
    claimed = timezone.now() - timedelta(hours=3)
    row = make_sent(before, sent_at=None, claimed_at=claimed, error_message="No answer.")
    call()
    row.refresh_from_db()
    assert (row.status, row.sent_at, row.error_message) == (MessageStatus.DELIVERED, claimed, "")


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        (PATH.replace("s3cret", "s3creT"), {}, 404),
        (PATH.replace("s3cret", "%00"), {}, 404),
        (PATH.replace("fake", "mitake"), {}, 400),
        (PATH.replace("fake", "mitake"), {"msgid": "m-1", "dstaddr": "0912345678", "StatusFlag": "4"}, 404),
        (PATH.replace("fake", "every8d"), {"BatchID": "m-1", "RM": "0912345678", "STATUS": "100"}, 404),
        (PATH.replace("fake", "nobody"), {}, 404),
        (PATH, {"id": "m-2"}, 404),
        (PATH, {"id": ""}, 404),
        (PATH, {"to": "+886987654321"}, 400),
        (PATH, {"to": ""}, 400),
        (PATH, {"status": "lost"}, 400),
        (PATH, {"id": "m\0"}, 400),
        (PATH, {"reply": "x" * 5000}, 400),
        (PATH, {f"f{n}": "1" for n in range(50)}, 400),
        (PATH, {f"f{n}": "1" for n in range(5000)}, 400),
    ],
)
def test_invalid_receipt_changes_nothing(
    path: str, parameters: dict[str, str], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    make_sent()
    before = stored_rows()
    answer = call(path, **parameters)
    assert (answer.status_code, answer.json()["type"] != "server_error") == (status, True)
    assert stored_rows() == before
    assert "s3cret" not in caplog.text
    assert "912345678" not in caplog.text.replace("-", "")


def test_refused_receipt_is_logged_with_masked_number(caplog: pytest.LogCaptureFixture) -> None:
    call()
    assert "fake (number 0912-***-678) was refused: unknown_message" in caplog.text


def test_receipts_are_refused_without_a_secret(settings: Any) -> None:
    settings.SMS_CALLBACK_SECRET = ""
    make_sent()
    assert call(PATH.replace("s3cret", "-")).status_code == 404


@pytest.mark.parametrize(
    ("known", "status"), [(["127.0.0.1"], 200), (["127.0.0.0/8", "10.0.0.1"], 200), (["10.0.0.1"], 404)]
)
def test_unlisted_address_is_refused_despite_forwarding_headers(settings: Any, known: list[str], status: int) -> None:
    settings.SMS_CALLBACK_ADDRESSES = known
    make_sent()
    parameters = {"id": "m-1", "to": PHONE, "status": "delivered"}
    assert Client().get(PATH, parameters, headers={"X-Forwarded-For": "10.0.0.1"}).status_code == status


def test_ipv4_mapped_address_matches_list(settings: Any) -> None:
    settings.SMS_CALLBACK_ADDRESSES = ["127.0.0.0/8"]
    make_sent()
    parameters = {"id": "m-1", "to": PHONE, "status": "delivered"}
    assert Client().get(PATH, parameters, REMOTE_ADDR="::ffff:127.0.0.1").status_code == 200
    assert Client().get(PATH, parameters, REMOTE_ADDR="::ffff:10.0.0.1").status_code == 404


def test_reused_id_is_resolved_by_number() -> None:
    other, row = make_sent(recipient="+886987654321"), make_sent()
    call()
    other.refresh_from_db()
    row.refresh_from_db()
    assert (other.status, row.status) == (MessageStatus.SENT, MessageStatus.DELIVERED)


def test_reply_is_stored_once_and_keeps_status() -> None:
    row, at = make_sent(sent_at=timezone.now() - timedelta(minutes=5)), timezone.now().isoformat()
    for _ in range(3):
        assert call(reply="好的\n謝謝\x07", at=at).status_code == 200
    row.refresh_from_db()
    assert row.status == MessageStatus.SENT
    assert [(note.reply, str(note), note.status) for note in row.trail.all()] == [
        ("好的 謝謝", "好的 謝謝", MessageStatus.SENT)
    ]
    call(reply="好的\n謝謝")
    call(reply="明天")
    assert [note.reply for note in row.trail.all()] == ["好的 謝謝", "明天"]


def test_callback_url_contains_gateway_and_secret(settings: Any) -> None:
    assert callback_url("fake") == ""
    settings.SMS_CALLBACK_BASE_URL = "https://gas.example.tw/"
    assert callback_url("fake") == f"https://gas.example.tw{PATH}"
    assert get_gateway("fake").callback_url == callback_url("fake")
    assert get_gateway("fake").clean("at s3cret", PHONE) == "at ***"


@pytest.mark.django_db(transaction=True)
def test_concurrent_receipts_add_each_status_once() -> None:
    row = make_sent(MessageStatus.UNKNOWN)
    reports = [
        Receipt("m-1", PHONE, status) for status in (MessageStatus.DELIVERED, MessageStatus.SENT, MessageStatus.EXPIRED)
    ]
    run_concurrently(partial(receipts.record, get_gateway("fake")), reports * 2)
    row.refresh_from_db()
    steps = [note.status for note in row.trail.all()]
    assert row.status == steps[-1] == MessageStatus.DELIVERED
    assert len(steps) == len(set(steps))


def test_wrong_secrets_are_throttled_and_the_provider_is_not(rates: Callable[..., None]) -> None:
    rates(callback="2/h")
    make_sent()
    guess = PATH.replace("s3cret", "guessed")
    assert [call(guess).status_code for _ in range(3)] == [404, 404, 429]
    assert [call().status_code for _ in range(5)] == [200] * 5
