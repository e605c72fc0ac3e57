"""Simulates a provider with the protocol of the gateway `http`."""

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
        return json_response(401, error="The key is wrong.")
    try:
        body = request.json()
        phone, text = str(body["phone"]), str(body["message"])
        sent, is_repeated = operator.accept(NAME, phone, text, key=request.headers.get("Idempotency-Key", ""))
    except (ValueError, KeyError):
        return json_response(400, error="Send a JSON object with phone, message and sender.")
    except NoNumber:
        return json_response(400, error="`phone` is not a mobile number of Taiwan.")
    except NoCredit:
        return json_response(402, error="The account has no points left.")
    return json_response(200, message_id=sent.id, duplicate=is_repeated)


def health(request: Request, operator: Operator) -> Response:
    return (
        json_response(200, well=True) if is_known(request, operator) else json_response(401, error="The key is wrong.")
    )


def refusal(code: str, request: Request) -> Response:
    return json_response(
        int(code) if code.isdecimal() and 400 <= int(code) <= 599 else 400, error="The message is refused."
    )


def is_known(request: Request, operator: Operator) -> bool:
    return operator.account.has_key(request.headers.get("Authorization", "").removeprefix("Bearer "))


def json_response(status: int, **body: Any) -> Response:
    return Response(json.dumps(body).encode(), status, "application/json")


ROUTES = {"/sms": (On.SEND, send), "/sms/health": (On.ASK, health)}
