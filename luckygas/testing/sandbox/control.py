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
from luckygas.testing.sandbox.telephones import SandboxMessage
from notifications.states import MessageStatus

JSON = "application/json"
OUTCOMES = (MessageStatus.DELIVERED, MessageStatus.FAILED, MessageStatus.EXPIRED, MessageStatus.SENT)
MAX_TIMES = 1000
LONGEST_REPLY = 200


def show(request: Request, operator: Operator) -> Response:
    """`GET /control`: returns the messages, the oldest first, the balance, the fault and the receipt policy."""
    return json_response(
        200, messages=[as_json(sent) for sent in operator.telephones.all()], balance=operator.telephones.balance,
        fault=asdict(operator.faults.now) if operator.faults.now else None, receipts=asdict(operator.receipts.policy),
    )  # fmt: skip


def as_json(sent: SandboxMessage) -> dict[str, Any]:
    return {
        "number": sent.number, "provider": sent.provider, "phone": sent.phone, "text": sent.text,
        "segments": sent.segments, "state": sent.state, "receipts": sent.receipts, "at": sent.at.isoformat(),
    }  # fmt: skip


def change(request: Request, operator: Operator) -> Response:
    """`POST /control`: applies the change that the request describes (docs/sms.md).

    Answers JSON with the new state, and a form with a redirect to the page; 400 if a field is wrong.
    """
    by_form = not request.headers.get("Content-Type", "").startswith(JSON)
    try:
        wanted = request.form() if by_form else request.json()
        apply(wanted, operator)
    except (ValueError, TypeError, OverflowError) as error:
        return json_response(400, error=str(error)[:200])
    if by_form:
        return Response(b"", 303, location="/?" + urlencode({"lang": wanted.get("lang", "")}))
    return show(request, operator)


def apply(wanted: dict[str, Any], operator: Operator) -> None:
    """Applies the fields of a control request.

    Raises ValueError, TypeError or OverflowError for wrong fields, and then changes nothing.
    """
    if "message" in wanted:
        send_receipt(wanted, operator)
    elif "fault" in wanted:
        operator.faults.set(parse_fault(wanted))
    elif "outcome" in wanted:
        operator.receipts.policy = parse_policy(wanted)
    else:
        raise ValueError("Give `fault`, `outcome` or `message`.")


def send_receipt(wanted: dict[str, Any], operator: Operator) -> None:
    """Schedules a receipt for now, with the customer's `reply` or else with `outcome`. Raises ValueError, TypeError."""
    sent = operator.telephones.get(int(wanted["message"]))
    if sent is None:
        raise ValueError("There is no message with this number.")
    reply = str(wanted.get("reply") or "")[:LONGEST_REPLY]
    operator.receipts.schedule(
        QueuedReceipt(sent, MessageStatus.SENT if reply else parse_outcome(wanted.get("outcome")), reply)
    )


def parse_fault(wanted: dict[str, Any]) -> SandboxFault | None:
    if not wanted["fault"]:
        return None
    times = wanted.get("times") or None
    return SandboxFault(
        FaultKind(wanted["fault"]),
        times=None if times is None else parse_times(times),
        code=str(wanted.get("code") or "")[:8],
        seconds=parse_seconds(wanted.get("seconds") or LONGEST_SECONDS),
        on=On(wanted.get("on") or On.SEND),
        taken=wanted.get("taken", True) not in (False, "false"),
    )


def parse_policy(wanted: dict[str, Any]) -> ReceiptPolicy:
    usual = ReceiptPolicy()
    return ReceiptPolicy(
        outcome=parse_outcome(wanted["outcome"]) if wanted["outcome"] else None,
        delay=parse_seconds(wanted.get("delay", usual.delay)),
        times=parse_times(wanted.get("times") or 1),
        jumbled=wanted.get("jumbled", False) in (True, "true"),
    )


def parse_outcome(text: Any) -> MessageStatus:
    if text not in OUTCOMES:
        raise ValueError(f"`outcome` must be one of {', '.join(OUTCOMES)}.")
    return MessageStatus(text)


def parse_times(text: Any) -> int:
    if not 1 <= (number := int(text)) <= MAX_TIMES:
        raise ValueError(f"`times` must be from 1 to {MAX_TIMES}.")
    return number


def parse_seconds(text: Any) -> float:
    if not 0 <= (seconds := float(text)) <= LONGEST_SECONDS:
        raise ValueError(f"`seconds` and `delay` must be from 0 to {LONGEST_SECONDS:g}.")
    return seconds


def json_response(status: int, **body: Any) -> Response:
    return Response(json.dumps(body, ensure_ascii=False).encode(), status, JSON)


ROUTES = {("GET", "/control"): show, ("POST", "/control"): change}
