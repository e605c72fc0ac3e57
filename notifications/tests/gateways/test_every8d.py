"""The gateway's requests and its reading of answers and receipts follow EVERY8D's specification 2.1.5."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from notifications.gateways import get_gateway
from notifications.gateways.base import Accepted, Gateway, GatewayError, Message, Receipt, ReceiptError, Reply
from notifications.states import MessageStatus, Reason
from notifications.tests import provider as behaviours
from notifications.tests.provider import Provider, answers, sending_error

MESSAGE = Message(uuid.uuid4(), "+886912345678", "【幸福氣】您的瓦斯\n#1 & =")
BATCH = "220478cc-8506-49b2-93b7-2505f651c12e"
SENT = f"1230.00,1,1.00,0,{BATCH}"
AT = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)


@pytest.fixture
def every8d(fake_provider: Provider, settings: Any) -> Gateway:
    settings.SMS_GATEWAY, settings.EVERY8D_URL = "every8d", fake_provider.url
    settings.EVERY8D_UID, settings.EVERY8D_PASSWORD = "gasfirm", "top-secret"
    fake_provider.behave(answers(200, SENT))
    return get_gateway()


def test_request_is_as_documented(every8d: Gateway, fake_provider: Provider) -> None:
    assert every8d.send(MESSAGE) == Accepted(BATCH, "0", Decimal(1))
    (request,) = fake_provider.requests
    assert (request.method, request.path) == ("POST", "/sms/sendSMS.ashx")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.body == {
        "UID": "gasfirm", "PWD": "top-secret", "SB": "", "MSG": MESSAGE.text, "DEST": "0912345678", "ST": "",
        "RETRYTIME": "1440",
    }  # fmt: skip


@pytest.mark.parametrize(("seconds", "minutes"), [(600, "10"), (599, "9"), (30, "1"), (-1, "1")])
def test_urgent_message_has_a_short_validity(
    every8d: Gateway, fake_provider: Provider, seconds: int, minutes: str
) -> None:
    with time_machine.travel(AT, tick=False):
        every8d.send(replace(MESSAGE, valid_until=AT + timedelta(seconds=seconds)))
    assert fake_provider.requests[0].body["RETRYTIME"] == minutes


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("-1, 參數錯誤", Reason.REFUSED),
        ("-2,帳號密碼錯誤", Reason.CHANNEL_STOPPED),
        ("-3", Reason.NO_SUCH_NUMBER),
        ("-27, 電話號碼不得為空\r\n", Reason.REFUSED),
        ("-11, 帳號已停用", Reason.CHANNEL_STOPPED),
        ("-100,帳號錯誤", Reason.CHANNEL_STOPPED),
        ("-101：密碼錯誤", Reason.CHANNEL_STOPPED),
        ("-300\r\n", Reason.CHANNEL_STOPPED),
        ("\ufeff-100, 帳號錯誤", Reason.CHANNEL_STOPPED),
        ("-77, 系統維護中", Reason.UNKNOWN_CODE),
        ("-2000000 maintenance", Reason.UNKNOWN_CODE),
        ("-5.00,1,1.00,0,x", Reason.NO_ANSWER),
        ("-99, 主機端發生不明錯誤", Reason.NO_ANSWER),
        (f"0.00,1,0,1,{BATCH}", Reason.NO_CREDIT),
        (f"0.00,0,0,0,{BATCH}", Reason.NO_ANSWER),
        ("", Reason.NO_ANSWER),
        ("1230.00,1,1.00,0", Reason.NO_ANSWER),
        ("1230.00,1,1.00,0,", Reason.NO_ANSWER),
        (f"1230.00,1,1.00,0,{'b' * 81}", Reason.NO_ANSWER),
        ("<html>500</html>", Reason.NO_ANSWER),
        (SENT + "x" * 10_000_000, Reason.NO_ANSWER),
    ],
)
def test_message_without_success_is_not_retried(
    every8d: Gateway, fake_provider: Provider, answer: str, reason: Reason
) -> None:
    fake_provider.behave(answers(200, answer))
    assert sending_error(every8d, MESSAGE).reason == reason
    assert len(fake_provider.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        answers(500),
        behaviours.hangs_up,
        behaviours.hangs,
        behaviours.cut(SENT.encode()),
        behaviours.drips_body,
        answers(200, b"\xff"),
    ],
)
def test_message_that_may_have_been_sent_is_not_retried(
    every8d: Gateway, fake_provider: Provider, settings: Any, answer: Any
) -> None:
    settings.SMS_TIMEOUT_SECONDS = 0.4
    fake_provider.behave(answer)
    assert sending_error(every8d, MESSAGE).reason == Reason.NO_ANSWER
    assert len(fake_provider.requests) == 1


@pytest.mark.parametrize("answer", ["-100, 帳號密碼錯誤", "-77 系統維護中", "-3：門號錯誤"])
def test_error_has_code_and_text_of_provider(every8d: Gateway, fake_provider: Provider, answer: str) -> None:
    fake_provider.behave(answers(200, answer))
    refused, (code, text) = sending_error(every8d, MESSAGE), re.split("[, ：]+", answer)
    assert refused.raw_status == code
    assert str(refused).startswith(f"{code}: ")
    assert text in str(refused)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, Reason.CHANNEL_STOPPED), (404, Reason.UNKNOWN_CODE), (400, Reason.UNKNOWN_CODE), (503, Reason.BUSY)],
)
def test_http_error_does_not_refuse_the_message(
    every8d: Gateway, fake_provider: Provider, status: int, reason: Reason
) -> None:
    fake_provider.behave(answers(status, "blocked"))
    refused = sending_error(every8d, MESSAGE)
    assert (refused.reason, refused.raw_status, str(refused)) == (reason, f"HTTP {status}", f"HTTP {status}: blocked")


def test_balance_is_read(every8d: Gateway, fake_provider: Provider) -> None:
    fake_provider.behave(answers(200, "2310.00"))
    assert (every8d.balance(), every8d.health().balance) == (Decimal(2310), Decimal(2310))
    assert fake_provider.requests[0].path == "/sms/getCredit.ashx"
    assert fake_provider.requests[0].body == {"UID": "gasfirm", "PWD": "top-secret"}


@pytest.mark.parametrize(("answer", "reason"), [("-2, 錯誤", Reason.CHANNEL_STOPPED), ("?", Reason.NO_ANSWER)])
def test_refused_balance_raises(every8d: Gateway, fake_provider: Provider, answer: str, reason: Reason) -> None:
    fake_provider.behave(answers(200, answer))
    with pytest.raises(GatewayError) as failed:
        every8d.balance()
    assert (failed.value.reason, every8d.health().reachable) == (reason, False)


def test_query_result_becomes_a_receipt(every8d: Gateway, fake_provider: Provider) -> None:
    lines = "1\r\n王小姐\t0912345678\t2026/11/22 09:29:00\t1.00\t100\t2026/11/22 09:30:00\r\nshort\t1\r\n"
    fake_provider.behave(answers(200, lines))
    assert every8d.query([BATCH]) == [Receipt(BATCH, "+886912345678", MessageStatus.DELIVERED, "", "100", AT)]
    assert fake_provider.requests[0].path == "/sms/getDeliveryStatus.ashx"
    assert fake_provider.requests[0].body == {"UID": "gasfirm", "PWD": "top-secret", "BID": BATCH, "PNO": "1"}


def test_refused_query_raises(every8d: Gateway, fake_provider: Provider) -> None:
    fake_provider.behave(answers(200, "-2, 錯誤"))
    with pytest.raises(GatewayError) as failed:
        every8d.query([BATCH])
    assert failed.value.reason == Reason.CHANNEL_STOPPED


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        ("0", MessageStatus.SENT, ""),
        ("100", MessageStatus.DELIVERED, ""),
        ("101", MessageStatus.FAILED, Reason.NOT_REACHED),
        ("103", MessageStatus.FAILED, Reason.NO_SUCH_NUMBER),
        ("107", MessageStatus.EXPIRED, Reason.NOT_REACHED),
        ("-3", MessageStatus.FAILED, Reason.NO_SUCH_NUMBER),
    ],
)
def test_receipt_codes_have_their_meaning(every8d: Gateway, code: str, status: MessageStatus, reason: str) -> None:
    parameters = {
        "BatchID": BATCH,
        "RM": "+886912345678",
        "RT": "20261122093000",
        "STATUS": code,
        "SM": "",
        "USERID": "u",
    }
    receipt = every8d.receipt(parameters)
    assert receipt == Receipt(BATCH, "+886912345678", status, reason, code, AT)
    assert every8d.acknowledgement(receipt) == "OK"


def test_code_999_is_a_customers_reply(every8d: Gateway) -> None:
    parameters = {"BatchID": BATCH, "RM": "0912345678", "RT": "20261122093000", "STATUS": "999", "SM": "謝謝"}
    assert every8d.receipt(parameters) == Reply(BATCH, "+886912345678", "謝謝", AT)


@pytest.mark.parametrize("code", ["500", "301", "700", "12", "-77", "成功"])
def test_unknown_code_gives_a_receipt_without_status(every8d: Gateway, fake_provider: Provider, code: str) -> None:
    receipt = Receipt(BATCH, "+886912345678", None, Reason.UNKNOWN_CODE, code)
    assert every8d.receipt({"BatchID": BATCH, "RM": "0912345678", "STATUS": code}) == receipt
    fake_provider.behave(answers(200, f"1\r\n\t0912345678\t\t1.00\t{code}\t\r\n"))
    assert every8d.query([BATCH]) == [receipt]


@pytest.mark.parametrize("names", [str.lower, str.upper, str.title])
def test_parameter_names_ignore_case(every8d: Gateway, names: Callable[[str], str]) -> None:
    parameters = {"BatchID": BATCH, "RM": " 0912345678", "RT": "2026/11/22 上午 09:30", "STATUS": " 100 "}
    receipt = every8d.receipt({names(name): value for name, value in parameters.items()})
    assert receipt == Receipt(BATCH, "+886912345678", MessageStatus.DELIVERED, "", "100", AT)


@pytest.mark.parametrize(
    ("columns", "at"),
    [
        (["", "0912345678", "2026/11/22 09:30:00", "1.00", "100"], AT),
        (["", "0912345678", "2026/11/22 09:29:00", "1.00", " 100 ", "2026/11/22 上午 09:30"], AT),
        (["", "0912345678", "", "1.00", "100", "2026/11/22 09:30:00", "more", "still more"], AT),
        (["", "0912345678", "", "1.00", "100", ""], None),
    ],
)
@pytest.mark.parametrize("head", ["1\r\n", ""])
def test_columns_are_read_by_position(
    every8d: Gateway, fake_provider: Provider, head: str, columns: list[str], at: datetime | None
) -> None:
    fake_provider.behave(answers(200, head + "\t".join(columns) + "\r\n"))
    assert every8d.query([BATCH]) == [Receipt(BATCH, "+886912345678", MessageStatus.DELIVERED, "", "100", at)]


@pytest.mark.parametrize("missing", [{"BatchID": ""}, {"STATUS": ""}])
def test_incomplete_receipt_is_refused(every8d: Gateway, missing: dict[str, str]) -> None:
    with pytest.raises(ReceiptError):
        every8d.receipt({"BatchID": BATCH, "STATUS": "100"} | missing)
