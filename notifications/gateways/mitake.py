"""Mitake 三竹, API v2.14 of 2024-06. The HTTP status is always 200; the body holds the result or the error code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifications.gateways.base import Accepted, GatewayError, Message, Receipt, ReceiptError, Reply
from notifications.gateways.form_gateway import (
    FormGateway,
    amount,
    code,
    parameters_by_name,
    price,
    receipt_of,
    refusal,
    to_international,
    to_local,
    unclear_answer,
)
from notifications.gateways.http import HEALTH_SECONDS
from notifications.states import MessageStatus, Reason

# Mitake's status codes, with our status and reason. 1 and 2 mean that the carrier has the message, not that it arrived.
STATUS_OF_CODE: dict[str, tuple[MessageStatus, str]] = {
    "0": (MessageStatus.SENT, ""), "1": (MessageStatus.SENT, ""), "2": (MessageStatus.SENT, ""),
    "4": (MessageStatus.DELIVERED, ""),
    **dict.fromkeys("579", (MessageStatus.FAILED, Reason.REFUSED)),
    "6": (MessageStatus.FAILED, Reason.NO_SUCH_NUMBER), "8": (MessageStatus.EXPIRED, Reason.NOT_REACHED),
}  # fmt: skip
ACCEPTED_CODES = frozenset("0124")
# Codes for refused messages. A system error (*) may have happened after the sending.
STOP = Reason.CHANNEL_STOPPED
REFUSALS = {
    "*": (Reason.NO_ANSWER, _("an error in the provider's system")),
    **dict.fromkeys("abr", (Reason.BUSY, _("the provider is not sending at the moment"))),
    "c": (STOP, _("the user name is missing")),
    "d": (STOP, _("the password is missing")),
    "e": (STOP, _("user name or password is wrong")),
    "f": (STOP, _("the account has expired")),
    "h": (STOP, _("the account is disabled")),
    "k": (STOP, _("this server's IP address is not registered")),
    "l": (Reason.BUSY, _("too many connections at once")),
    "m": (STOP, _("the password must be changed")),
    "n": (STOP, _("the password has expired")),
    "p": (STOP, _("the account may not send over HTTP")),
    "s": (Reason.NO_CREDIT, _("the account could not be charged")),
    **dict.fromkeys("t8", (Reason.REFUSED, _("the time to send has passed"))),
    "u": (Reason.REFUSED, _("the text is empty")),
    **dict.fromkeys("v6", (Reason.NO_SUCH_NUMBER, _("this number does not exist"))),
    "x": (Reason.REFUSED, _("the request is too large")),
    "y": (Reason.REFUSED, _("a parameter is invalid")),
    "5": (Reason.REFUSED, _("the text is not allowed")),
    "7": (Reason.REFUSED, _("SMS to this number are blocked")),
    "9": (Reason.REFUSED, _("the message was cancelled at the provider")),
}
ID = re.compile(r"#?[!-~]{1,79}")
CODE = re.compile(r"[!-~]{1,8}")


class Mitake(FormGateway):
    """Idempotent: within twelve hours Mitake sends messages with the same `clientid` only once."""

    idempotent, remembers = True, timedelta(hours=12)
    needs = ("MITAKE_URL", "MITAKE_USERNAME", "MITAKE_PASSWORD")
    max_connections = 15
    query_size = 100

    def __init__(self) -> None:
        account = {"username": settings.MITAKE_USERNAME, "password": settings.MITAKE_PASSWORD}
        super().__init__(settings.MITAKE_URL, **account)

    def transmit(self, message: Message) -> Accepted:
        fields = {
            "dstaddr": to_local(message.phone), "smbody": "\x06".join(message.text.splitlines()),
            "clientid": str(message.id), "smsPointFlag": "1",
        }  # fmt: skip
        if message.valid_until:
            fields["vldtime"] = f"{timezone.localtime(message.valid_until):%Y%m%d%H%M%S}"
        if self.callback_url:
            fields["response"] = f"{self.callback_url}{message.id}/"
        # Without CharsetURL Mitake reads the text as Big5.
        answer = self.post_form("SmSend?CharsetURL=UTF8", fields)
        lines = parse_pairs(answer)
        status, provider_id = lines.get("statuscode", ""), lines.get("msgid", "")
        # A duplicate is accepted too. `statuscode` is the status of the first one; queries find it by this id later.
        if ID.fullmatch(provider_id) and (
            status in ACCEPTED_CODES or (status in STATUS_OF_CODE and "Duplicate" in lines)
        ):
            return Accepted(provider_id, status, price(lines.get("smsPoint", "")))
        raise to_gateway_error(answer)

    def balance(self) -> Decimal:
        answer = self.post_form("SmQuery", {}, HEALTH_SECONDS)
        if (points := amount(parse_pairs(answer).get("AccountPoint", ""))) is None:
            raise to_gateway_error(answer)
        return points

    def query(self, ids: Sequence[str]) -> list[Receipt]:
        answer = self.post_form("SmQuery", {"msgid": ",".join(ids)})
        if "statuscode" in parse_pairs(answer):
            raise to_gateway_error(answer)
        rows = [line.split("\t") for line in answer.splitlines()]
        # Columns: msgid, statuscode, time. The time may be missing, and more columns may follow.
        return [
            receipt_of(STATUS_OF_CODE, row[0].strip(), "", code(row[1]), "".join(row[2:3]))
            for row in rows if len(row) >= 2 and ID.fullmatch(row[0].strip()) and code(row[1])
        ]  # fmt: skip

    def receipt(self, parameters: Mapping[str, str]) -> Receipt:
        # `StatusFlag` holds the outcome. `statuscode` only says that the message was sent.
        provider_id, flag, phone, at = parameters_by_name(parameters, "msgid", "StatusFlag", "dstaddr", "donetime")
        if not ID.fullmatch(provider_id) or not code(flag):
            raise ReceiptError("msgid or StatusFlag is missing.")
        return receipt_of(STATUS_OF_CODE, provider_id, to_international(phone), code(flag), at)

    def acknowledgement(self, receipt: Receipt | Reply) -> str:
        return f"magicid=sms_gateway_rpack\nmsgid={receipt.provider_message_id}\n"

    def id_variants(self, provider_message_id: str) -> list[str]:
        bare = provider_message_id.removeprefix("#")
        return [bare, f"#{bare}"]


def parse_pairs(answer: str) -> dict[str, str]:
    """Parses lines of `key=value`, and skips others. Of a repeated key the last value counts."""
    found = (line.partition("=") for line in answer.splitlines())
    return {key.strip(): value.strip() for key, sign, value in found if sign}


def to_gateway_error(answer: str) -> GatewayError:
    """Returns the error for an answer that reports no success.

    An unknown code counts as a refusal only without an id: with one, the provider may have accepted the message.
    """
    lines = parse_pairs(answer)
    status = lines.get("statuscode", "")
    if status in REFUSALS or (CODE.fullmatch(status) and status not in ACCEPTED_CODES and not lines.get("msgid")):
        return refusal(status, lines.get("Error", ""), REFUSALS)
    return unclear_answer(answer)
