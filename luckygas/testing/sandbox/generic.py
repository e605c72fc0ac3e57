"""The provider behind the gateway `http`."""

from __future__ import annotations

import json
from typing import Any

from luckygas.testing.sandbox.faults import On
from luckygas.testing.sandbox.http_messages import Request, Response
from luckygas.testing.sandbox.operator import Operator
from luckygas.testing.sandbox.telephones import NoCredit, NoNumber

NAME = "http"


def send(request: Request, operator: Operator) -> Response:
    if not is_known(request, operator):
        return said(401, error="The key is wrong.")
    try:
        body = request.json()
        phone, text = str(body["phone"]), str(body["message"])
        sent, repeated = operator.take(NAME, phone, text, key=request.headers.get("Idempotency-Key", ""))
    except (ValueError, KeyError):
        return said(400, error="Send a JSON object with phone, message and sender.")
    except NoNumber:
        return said(400, error="`phone` is not a mobile number of Taiwan.")
    except NoCredit:
        return said(402, error="The account has no points left.")
    return said(200, message_id=sent.id, duplicate=repeated)


def health(request: Request, operator: Operator) -> Response:
    return said(200, well=True) if is_known(request, operator) else said(401, error="The key is wrong.")


def refusal(code: str, request: Request) -> Response:
    return said(int(code) if code.isdecimal() and 400 <= int(code) <= 599 else 400, error="The message is refused.")


def is_known(request: Request, operator: Operator) -> bool:
    return operator.account.has_key(request.headers.get("Authorization", "").removeprefix("Bearer "))


def said(status: int, **body: Any) -> Response:
    return Response(json.dumps(body).encode(), status, "application/json")


ROUTES = {"/sms": (On.SEND, send), "/sms/health": (On.ASK, health)}
