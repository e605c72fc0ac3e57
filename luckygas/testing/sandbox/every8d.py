"""Simulates the part of EVERY8D's HTTP API 2.1.5 (2021-10) that we use. Answers HTTP 200 even on errors."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from django.utils import timezone

from luckygas.testing.sandbox.faults import On
from luckygas.testing.sandbox.http_messages import Request, Response
from luckygas.testing.sandbox.operator import Operator
from luckygas.testing.sandbox.telephones import NoCredit, NoNumber, SandboxMessage, mobile
from notifications.states import MessageStatus

NAME = "every8d"
ERRORS = {
    "-1": "參數錯誤", "-2": "帳號或密碼錯誤", "-3": "門號錯誤", "-4": "逾時", "-5": "內容過長", "-6": "時間格式錯誤",
    "-11": "帳號已停用", "-27": "電話號碼不得為空", "-100": "帳號錯誤", "-101": "密碼錯誤", "-300": "帳號密碼不得為空",
    "-99": "主機端發生不明錯誤，請與廠商窗口聯繫",
}  # fmt: skip
CODES = {
    MessageStatus.SENT: "0",
    MessageStatus.DELIVERED: "100",
    MessageStatus.FAILED: "103",
    MessageStatus.EXPIRED: "107",
}
# The status code of a receipt with a customer's reply.
REPLY = "999"
# How long `send_once` refuses a repeated message.
FILTER_TIME = timedelta(hours=24)


def send(request: Request, operator: Operator) -> Response:
    form = request.form()
    if not is_known(form, operator):
        return refusal("-2", request)
    if not form.get("MSG"):
        return refusal("-1", request)
    try:
        sent, _ = operator.accept(NAME, form.get("DEST", ""), form["MSG"])
    except NoNumber:
        return refusal("-3", request)
    except NoCredit:
        return text_response(f"{operator.telephones.balance}.00,0,0,1,{uuid4()}")
    return text_response(f"{operator.telephones.balance}.00,1,{sent.segments},0,{sent.id}")


def send_once(request: Request, operator: Operator) -> Response:
    """Like `send`, but refuses the same text to the same number for a day."""
    form, since = request.form(), timezone.now() - FILTER_TIME
    for sent in operator.telephones.all():
        is_same = sent.text == form.get("MSG") and sent.phone == normalise(form.get("DEST", ""))
        if is_same and sent.provider == NAME and sent.at > since:
            return text_response(f"-98,{form['DEST']}")
    return send(request, operator)


def status(request: Request, operator: Operator) -> Response:
    form = request.form()
    if not is_known(form, operator):
        return refusal("-2", request)
    found = [sent for sent in operator.telephones.all() if sent.provider == NAME and sent.id == form.get("BID")]
    return text_response("".join(f"{line}\r\n" for line in (len(found), *map(status_line, found))))


def status_line(sent: SandboxMessage) -> str:
    received = format_time(sent.settled_at) if sent.settled_at else ""
    return "\t".join(["", sent.phone, format_time(sent.at), f"{sent.segments}.00", CODES[sent.state], received])


def credit(request: Request, operator: Operator) -> Response:
    return (
        text_response(f"{operator.telephones.balance}.00")
        if is_known(request.form(), operator)
        else refusal("-2", request)
    )


def refusal(code: str, request: Request) -> Response:
    code = code or "-99"
    return text_response(f"{code}, {ERRORS.get(code, '錯誤')}")


def text_response(text: str) -> Response:
    return Response(text.encode())


def is_known(form: dict[str, str], operator: Operator) -> bool:
    return operator.account.is_known(form.get("UID", ""), form.get("PWD", ""))


def normalise(text: str) -> str:
    """Returns the number in E.164; empty if it is not a mobile number."""
    try:
        return mobile(text)
    except NoNumber:
        return ""


def format_time(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y/%m/%d %H:%M:%S}"


def receipt(sent: SandboxMessage, state: MessageStatus, reply: str) -> dict[str, str]:
    """Returns the parameters of a receipt. `reply`: the customer's reply, which EVERY8D sends as a receipt."""
    return {
        "BatchID": sent.id, "RM": sent.phone, "RT": f"{timezone.localtime():%Y%m%d%H%M%S}",
        "STATUS": REPLY if reply else CODES[state], "SM": reply, "MR": "", "USERID": "",
    }  # fmt: skip


def is_acknowledged(status: int, body: str) -> bool:
    return status == 200


ROUTES = {
    f"/every8d/{path}.ashx": route
    for path, route in {
        "sendSMS": (On.SEND, send), "sendSMS4FilterMessage": (On.SEND, send_once),
        "getDeliveryStatus": (On.ASK, status), "getCredit": (On.ASK, credit),
    }.items()
}  # fmt: skip
