"""The generic provider of the gateway `http`."""

from __future__ import annotations

import json
from typing import Any

from luckygas.testing.sandbox.faults import On
from luckygas.testing.sandbox.operator import Operator
from luckygas.testing.sandbox.telephones import NoCredit, NoNumber
from luckygas.testing.sandbox.wire import Answer, Asked

NAME = "http"


def send(asked: Asked, operator: Operator) -> Answer:
    if not is_known(asked, operator):
        return said(401, error="The key is wrong.")
    try:
        body = asked.json()
        phone, text = str(body["phone"]), str(body["message"])
        sent, repeated = operator.take(NAME, phone, text, key=asked.headers.get("Idempotency-Key", ""))
    except (ValueError, KeyError):
        return said(400, error="Send JSON: phone, message, sender.")
    except NoNumber:
        return said(400, error="That is no mobile number.")
    except NoCredit:
        return said(402, error="No credit.")
    return said(200, message_id=sent.id, duplicate=repeated)


def health(asked: Asked, operator: Operator) -> Answer:
    return said(200, well=True) if is_known(asked, operator) else said(401, error="The key is wrong.")


def refusal(code: str, asked: Asked) -> Answer:
    return said(int(code) if code.isdecimal() and 400 <= int(code) <= 599 else 400, error="Refused.")


def is_known(asked: Asked, operator: Operator) -> bool:
    return operator.account.has_key(asked.headers.get("Authorization", "").removeprefix("Bearer "))


def said(status: int, **body: Any) -> Answer:
    return Answer(json.dumps(body).encode(), status, "application/json")


ROUTES = {"/sms": (On.SEND, send), "/sms/health": (On.ASK, health)}
