"""The sandbox answers in the formats of the providers."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests

from luckygas.testing.sandbox.faults import FaultKind, SandboxFault
from luckygas.testing.sandbox.server import Sandbox
from notifications.states import MessageStatus

PHONE, TEXT = "0912345678", "【幸福氣】您的瓦斯\n已送達"
MITAKE = {"username": "sandbox", "password": "sandbox-password"}
EVERY8D = {"UID": "sandbox", "PWD": "sandbox-password"}


def mitake(sandbox: Sandbox, call: str = "SmSend?CharsetURL=UTF8", **form: str) -> list[str]:
    answer = requests.post(f"{sandbox.url}/mitake/{call}", data=MITAKE | form, timeout=5)
    assert answer.status_code == 200
    assert answer.content.endswith(b"\r\n")
    return answer.content.decode("big5").split("\r\n")[:-1]


def every8d(sandbox: Sandbox, call: str, **form: str) -> str:
    answer = requests.post(f"{sandbox.url}/every8d/{call}.ashx", data=EVERY8D | form, timeout=5)
    assert answer.status_code == 200
    return answer.content.decode()


def http(sandbox: Sandbox, key: str = "sandbox-key", **body: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "k-1"}
    return requests.post(f"{sandbox.url}/sms", json=body, headers=headers, timeout=5)


def texts(sandbox: Sandbox) -> list[tuple[str, str]]:
    return [(sent.phone, sent.text) for sent in sandbox.operator.telephones.all()]


def test_mitake_accepts_a_message(sandbox: Sandbox) -> None:
    response = mitake(
        sandbox,
        dstaddr=PHONE,
        smbody=TEXT.replace("\n", "\x06"),
        clientid="c-1",
        smsPointFlag="1",
        vldtime="20261122093000",
    )
    serial = sandbox.operator.telephones.all()[0].serial
    assert response == ["[c-1]", f"msgid=#{serial}", "statuscode=1", "smsPoint=1", "AccountPoint=999"]
    assert texts(sandbox) == [("+886912345678", TEXT)]


def test_mitake_sends_each_clientid_once(sandbox: Sandbox) -> None:
    first = mitake(sandbox, dstaddr=PHONE, smbody=TEXT, clientid="c-1")
    again = mitake(sandbox, dstaddr=PHONE, smbody=TEXT, clientid="c-1")
    assert again == [*first[:3], "Duplicate=Y", "AccountPoint=999"]
    assert len(texts(sandbox)) == 1


def test_mitake_reads_big5_by_default(sandbox: Sandbox) -> None:
    body = "&".join(["username=sandbox", "password=sandbox-password", f"dstaddr={PHONE}", "smbody=%A5%CB%B4%B5"])
    requests.post(f"{sandbox.url}/mitake/SmSend", data=body, timeout=5)
    assert texts(sandbox) == [("+886912345678", "瓦斯")]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"password": "wrong"}, "e"),
        ({"dstaddr": "0229300016"}, "v"),
        ({"dstaddr": "x"}, "v"),
        ({"smbody": ""}, "u"),
        ({"clientid": "x" * 37}, "y"),
        ({"vldtime": "600"}, "y"),
    ],
)
def test_mitake_refuses_wrong_values_with_a_code(sandbox: Sandbox, form: dict[str, str], code: str) -> None:
    head, status, error = mitake(sandbox, **({"dstaddr": PHONE, "smbody": TEXT} | form))
    assert (status, error[:6], texts(sandbox)) == (f"statuscode={code}", "Error=", [])


def test_mitake_returns_status_and_balance(sandbox: Sandbox) -> None:
    for _ in range(2):
        mitake(sandbox, dstaddr=PHONE, smbody=TEXT)
    one, two = sandbox.operator.telephones.all()
    two.settle(MessageStatus.DELIVERED)
    lines = mitake(sandbox, "SmQuery", msgid=f"#{one.serial},{two.serial},999")
    assert [line.split("\t")[:2] for line in lines] == [[f"#{one.serial}", "1"], [f"#{two.serial}", "4"]]
    assert mitake(sandbox, "SmQuery") == ["AccountPoint=998"]
    assert mitake(sandbox, "SmQuery", msgid=",".join("1" * 101))[1] == "statuscode=w"
    assert mitake(sandbox, "SmQuery", password="wrong")[1] == "statuscode=e"


def test_every8d_accepts_the_same_message_twice(sandbox: Sandbox) -> None:
    responses = [every8d(sandbox, "sendSMS", DEST=PHONE, MSG=TEXT) for _ in range(2)]
    one, two = sandbox.operator.telephones.all()
    assert responses == [f"999.00,1,1,0,{one.id}", f"998.00,1,1,0,{two.id}"]
    assert str(uuid.UUID(one.id)) == one.id != two.id


def test_every8d_filter_refuses_same_text_to_same_number(sandbox: Sandbox) -> None:
    responses = [every8d(sandbox, "sendSMS4FilterMessage", DEST=PHONE, MSG=text) for text in ("a", "a", "b")]
    assert (responses[1], len(texts(sandbox))) == (f"-98,{PHONE}", 2)


@pytest.mark.parametrize(
    ("form", "code"), [({"PWD": "wrong"}, "-2"), ({"DEST": "0229300016"}, "-3"), ({"MSG": ""}, "-1")]
)
def test_every8d_refuses_wrong_values_with_a_code(sandbox: Sandbox, form: dict[str, str], code: str) -> None:
    response = every8d(sandbox, "sendSMS", **({"DEST": PHONE, "MSG": TEXT} | form))
    assert (response.partition(",")[0], texts(sandbox)) == (code, [])


def test_every8d_returns_status_and_balance(sandbox: Sandbox) -> None:
    every8d(sandbox, "sendSMS", DEST=PHONE, MSG=TEXT)
    (sent,) = sandbox.operator.telephones.all()
    sent.settle(MessageStatus.FAILED)
    count, line = every8d(sandbox, "getDeliveryStatus", BID=sent.id).splitlines()
    name, mobile, _at, cost, status, _received = line.split("\t")
    assert (count, name, mobile, cost, status) == ("1", "", "+886912345678", "1.00", "103")
    assert every8d(sandbox, "getDeliveryStatus", BID="another").splitlines() == ["0"]
    assert every8d(sandbox, "getCredit") == "999.00"
    assert every8d(sandbox, "getCredit", PWD="wrong").startswith("-2,")


def test_messages_are_refused_without_credit(sandbox: Sandbox) -> None:
    sandbox.operator.telephones.balance = 0
    assert every8d(sandbox, "sendSMS", DEST=PHONE, MSG=TEXT).startswith("0.00,0,0,1,")
    assert mitake(sandbox, dstaddr=PHONE, smbody=TEXT)[1] == "statuscode=s"
    assert http(sandbox, phone=PHONE, message=TEXT).status_code == 402
    assert texts(sandbox) == []


def test_http_sends_each_key_once(sandbox: Sandbox) -> None:
    responses = [http(sandbox, phone="+886912345678", message=TEXT, sender="幸福氣").json() for _ in range(2)]
    (sent,) = sandbox.operator.telephones.all()
    assert responses == [{"message_id": sent.id, "duplicate": is_repeated} for is_repeated in (False, True)]


@pytest.mark.parametrize(
    ("body", "status"), [({"phone": PHONE}, 400), ({"phone": "1", "message": "x"}, 400), ({"key": "wrong"}, 401)]
)
def test_http_refuses_wrong_values_with_a_status(sandbox: Sandbox, body: dict[str, str], status: int) -> None:
    assert http(sandbox, **body).status_code == status
    assert texts(sandbox) == []


@pytest.mark.parametrize(
    ("path", "code", "start"),
    [("/sms", "503", b'{"error": "The message is refused."}'),
     ("/mitake/SmSend", "k", b"[1]\r\nstatuscode=k\r\nError="),
     ("/every8d/sendSMS.ashx", "-99", b"-99, "), ("/every8d/sendSMS.ashx", "-11", "-11, 帳號已停用".encode()),
     ("/every8d/sendSMS.ashx", "-100", "-100, 帳號錯誤".encode()),
     ("/every8d/sendSMS.ashx", "-101", "-101, 密碼錯誤".encode()),
     ("/every8d/sendSMS.ashx", "-300", "-300, 帳號密碼不得為空".encode())],
)  # fmt: skip
def test_refusal_has_the_code_of_the_fault(sandbox: Sandbox, path: str, code: str, start: bytes) -> None:
    sandbox.operator.faults.set(SandboxFault(FaultKind.REFUSE, times=1, code=code))
    answer = requests.post(sandbox.url + path, data=b"", timeout=5)
    assert (answer.status_code, answer.content[: len(start)]) == (int(code) if path == "/sms" else 200, start)
    assert sandbox.operator.faults.now is None
