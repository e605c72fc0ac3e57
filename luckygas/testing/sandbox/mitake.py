"""Simulates the part of Mitake's HTTP API 2.14 (2024-06) that we use."""

from __future__ import annotations

import re
from datetime import datetime

from django.utils import timezone

from luckygas.testing.sandbox.faults import On
from luckygas.testing.sandbox.http_messages import Request, Response
from luckygas.testing.sandbox.operator import Operator
from luckygas.testing.sandbox.telephones import NoCredit, NoNumber, SandboxMessage
from notifications.states import MessageStatus

NAME = "mitake"
ERRORS = {
    "*": "系統發生錯誤，請聯絡三竹資訊窗口人員", "a": "簡訊發送功能暫時停止服務", "e": "帳號、密碼錯誤",
    "h": "帳號已被停用", "k": "無效的連線位址", "s": "帳務處理失敗", "u": "簡訊內容不得為空白", "v": "無效的手機號碼",
    "w": "查詢筆數超過上限", "y": "參數錯誤",
}  # fmt: skip
FLAGS = {MessageStatus.SENT: "1", MessageStatus.DELIVERED: "4", MessageStatus.FAILED: "6", MessageStatus.EXPIRED: "8"}
STATUS_TEXTS = {
    MessageStatus.SENT: "ENROUTE",
    MessageStatus.DELIVERED: "DELIVRD",
    MessageStatus.FAILED: "UNDELIV",
    MessageStatus.EXPIRED: "EXPIRED",
}
MAX_QUERIED = 100
MAX_KEY = 36
TIME = re.compile(r"(20[0-9]{12})?")


def send(request: Request, operator: Operator) -> Response:
    encoding = "utf-8" if "CharsetURL=UTF8" in request.query else "big5"
    form = request.form(encoding)
    key, text = form.get("clientid", ""), form.get("smbody", "").replace("\x06", "\n")
    if not is_known(form, operator):
        return refusal("e", request)
    if not text or len(key) > MAX_KEY or not TIME.fullmatch(form.get("vldtime", "")):
        return refusal("y" if text else "u", request)
    try:
        sent, is_repeated = operator.accept(
            NAME, form.get("dstaddr", ""), text, key=key, callback=form.get("response", "")
        )  # fmt: skip
    except NoNumber:
        return refusal("v", request)
    except NoCredit:
        return refusal("s", request)
    lines = [f"[{key or 1}]", f"msgid={message_id(sent)}", f"statuscode={FLAGS[MessageStatus.SENT]}"]
    lines += [f"smsPoint={sent.segments}"] if form.get("smsPointFlag") == "1" else []
    lines += ["Duplicate=Y"] if is_repeated else []
    return text_response(*lines, f"AccountPoint={operator.telephones.balance}")


def query(request: Request, operator: Operator) -> Response:
    """Returns the status of messages, or the balance if the request names none."""
    form = request.form()
    if not is_known(form, operator):
        return refusal("e", request)
    wanted = [part.strip().lstrip("#") for part in form.get("msgid", "").split(",") if part.strip()]
    if len(wanted) > MAX_QUERIED:
        return refusal("w", request)
    if not wanted:
        return text_response(f"AccountPoint={operator.telephones.balance}")
    known = {sent.serial: sent for sent in operator.telephones.all() if sent.provider == NAME}
    found = [known[serial] for serial in wanted if serial in known]
    return text_response(*(f"{message_id(s)}\t{FLAGS[s.state]}\t{format_time(s.settled_at or s.at)}" for s in found))


def refusal(code: str, request: Request) -> Response:
    """Returns the error in Big5, as Mitake does."""
    code = code or "*"
    return text_response(
        f"[{request.form().get('clientid') or 1}]", f"statuscode={code}", f"Error={ERRORS.get(code, '錯誤')}"
    )


def text_response(*lines: str) -> Response:
    return Response("".join(f"{line}\r\n" for line in lines).encode("big5", "replace"), content_type="text/plain")


def is_known(form: dict[str, str], operator: Operator) -> bool:
    return operator.account.is_known(form.get("username", ""), form.get("password", ""))


def message_id(sent: SandboxMessage) -> str:
    return f"#{sent.serial}"


def format_time(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y%m%d%H%M%S}"


def receipt(sent: SandboxMessage, state: MessageStatus, reply: str) -> dict[str, str]:
    """Returns the parameters of a receipt: the id without its `#`, and always `statuscode` 0, as Mitake does."""
    return {
        "msgid": sent.serial, "dstaddr": sent.local_number,
        "dlvtime": format_time(sent.at), "donetime": format_time(timezone.now()),
        "statuscode": "0", "statusstr": STATUS_TEXTS[state], "StatusFlag": FLAGS[state],
    }  # fmt: skip


def is_acknowledged(status: int, body: str) -> bool:
    return status == 200 and body.startswith("magicid=sms_gateway_rpack\nmsgid=")


ROUTES = {"/mitake/SmSend": (On.SEND, send), "/mitake/SmQuery": (On.ASK, query)}
