"""Controls the sandbox and reads its state: JSON for programs, forms for its page."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from luckygas.testing.sandbox.faults import LONGEST_SECONDS, FaultKind, On, SandboxFault
from luckygas.testing.sandbox.http_messages import Request, Response
from luckygas.testing.sandbox.operator import Operator
from luckygas.testing.sandbox.receipts import QueuedReceipt, ReceiptPolicy
from luckygas.testing.sandbox.telephones import Sent
from notifications.states import MessageStatus

JSON = "application/json"
OUTCOMES = (MessageStatus.DELIVERED, MessageStatus.FAILED, MessageStatus.EXPIRED, MessageStatus.SENT)
MAX_TIMES = 1000
LONGEST_REPLY = 200


def show(request: Request, operator: Operator) -> Response:
    """`GET /control`: returns the messages, the oldest first, and the fault and receipt policy."""
    return said(
        200, messages=[as_json(sent) for sent in operator.telephones.all()], balance=operator.telephones.balance,
        fault=asdict(operator.faults.now) if operator.faults.now else None, receipts=asdict(operator.receipts.policy),
    )  # fmt: skip


def as_json(sent: Sent) -> dict[str, Any]:
    return {
        "number": sent.number, "provider": sent.provider, "phone": sent.phone, "text": sent.text,
        "segments": sent.segments, "state": sent.state, "receipts": sent.receipts, "at": sent.at.isoformat(),
    }  # fmt: skip


def change(request: Request, operator: Operator) -> Response:
    """`POST /control`, as in docs/sms.md."""
    by_form = not request.headers.get("Content-Type", "").startswith(JSON)
    try:
        wish = request.form() if by_form else request.json()
        apply(wish, operator)
    except (ValueError, TypeError, OverflowError) as error:
        return said(400, error=str(error)[:200])
    if by_form:
        return Response(b"", 303, location="/?" + urlencode({"lang": wish.get("lang", "")}))
    return show(request, operator)


def apply(wish: dict[str, Any], operator: Operator) -> None:
    """Applies a control request. Raises ValueError if it is invalid, and then changes nothing."""
    if "message" in wish:
        send_receipt(wish, operator)
    elif "fault" in wish:
        operator.faults.set(fault_of(wish))
    elif "outcome" in wish:
        operator.receipts.policy = policy_of(wish)
    else:
        raise ValueError("Give `fault`, `outcome` or `message`.")


def send_receipt(wish: dict[str, Any], operator: Operator) -> None:
    """Sends a receipt of one message at once."""
    sent = operator.telephones.get(int(wish["message"]))
    if sent is None:
        raise ValueError("There is no message with this number.")
    reply = str(wish.get("reply") or "")[:LONGEST_REPLY]
    operator.receipts.schedule(
        QueuedReceipt(sent, MessageStatus.SENT if reply else outcome_of(wish.get("outcome")), reply)
    )


def fault_of(wish: dict[str, Any]) -> SandboxFault | None:
    if not wish["fault"]:
        return None
    times = wish.get("times") or None
    return SandboxFault(
        FaultKind(wish["fault"]),
        times=None if times is None else whole(times),
        code=str(wish.get("code") or "")[:8],
        seconds=within(wish.get("seconds") or LONGEST_SECONDS),
        on=On(wish.get("on") or On.SEND),
        taken=wish.get("taken", True) not in (False, "false"),
    )


def policy_of(wish: dict[str, Any]) -> ReceiptPolicy:
    usual = ReceiptPolicy()
    return ReceiptPolicy(
        outcome=outcome_of(wish["outcome"]) if wish["outcome"] else None,
        delay=within(wish.get("delay", usual.delay)),
        times=whole(wish.get("times") or 1),
        jumbled=wish.get("jumbled", False) in (True, "true"),
    )


def outcome_of(text: Any) -> MessageStatus:
    if text not in OUTCOMES:
        raise ValueError(f"`outcome` must be one of {', '.join(OUTCOMES)}.")
    return MessageStatus(text)


def whole(text: Any) -> int:
    if not 1 <= (number := int(text)) <= MAX_TIMES:
        raise ValueError(f"`times` must be from 1 to {MAX_TIMES}.")
    return number


def within(text: Any) -> float:
    if not 0 <= (seconds := float(text)) <= LONGEST_SECONDS:
        raise ValueError(f"`seconds` and `delay` must be from 0 to {LONGEST_SECONDS:g}.")
    return seconds


def said(status: int, **body: Any) -> Response:
    return Response(json.dumps(body, ensure_ascii=False).encode(), status, JSON)


ROUTES = {("GET", "/control"): show, ("POST", "/control"): change}
