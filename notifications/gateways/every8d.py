"""EVERY8D, HTTP API 2.1.5 of 2021-10. The HTTP status is always 200; the body holds the result or the error code."""

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
    parse_time,
    price,
    receipt_of,
    refusal,
    to_international,
    to_local,
    unclear_answer,
)
from notifications.gateways.http import HEALTH_SECONDS
from notifications.states import LONGEST_CODE, MessageStatus, Reason

# The “status” of a callback that holds a customer's reply.
REPLY = "999"
# Codes for accepted messages.
STATUS_OF_CODE: dict[str, tuple[MessageStatus, str]] = {
    "0": (MessageStatus.SENT, ""), "300": (MessageStatus.SENT, ""), "100": (MessageStatus.DELIVERED, ""),
    "101": (MessageStatus.FAILED, Reason.NOT_REACHED), "102": (MessageStatus.FAILED, Reason.NOT_REACHED),
    "103": (MessageStatus.FAILED, Reason.NO_SUCH_NUMBER), "104": (MessageStatus.FAILED, Reason.REFUSED),
    "105": (MessageStatus.FAILED, Reason.NOT_REACHED), "106": (MessageStatus.FAILED, Reason.REFUSED),
    "107": (MessageStatus.EXPIRED, Reason.NOT_REACHED), "303": (MessageStatus.FAILED, Reason.REFUSED),
    "-1": (MessageStatus.FAILED, Reason.REFUSED), "-2": (MessageStatus.FAILED, Reason.REFUSED),
    "-3": (MessageStatus.FAILED, Reason.NO_SUCH_NUMBER), "-4": (MessageStatus.EXPIRED, Reason.NOT_REACHED),
    "-5": (MessageStatus.FAILED, Reason.REFUSED), "-6": (MessageStatus.FAILED, Reason.REFUSED),
}  # fmt: skip
ACCOUNT = (Reason.CHANNEL_STOPPED, _("the provider does not accept our account"))
# Codes for refused messages. -11, -27, -100, -101 and -300 come from the live API and are not in the specification.
# -99 is an unknown error at the provider, which may have happened after the sending.
REFUSALS = {
    "-1": (Reason.REFUSED, _("a parameter is invalid")),
    "-2": (Reason.CHANNEL_STOPPED, _("user name or password is wrong")),
    "-3": (Reason.NO_SUCH_NUMBER, _("this number does not exist")),
    "-4": (Reason.REFUSED, _("the time to send has passed")),
    "-5": (Reason.REFUSED, _("the text is too long")),
    "-6": (Reason.REFUSED, _("the time to send is invalid")),
    "-27": (Reason.REFUSED, _("the number is missing")),
    **dict.fromkeys(["-11", "-100", "-101", "-300"], ACCOUNT),
    "-99": (Reason.NO_ANSWER, _("an error in the provider's system")),
}
# The answer to an accepted message: CREDIT,SENDED,COST,UNSEND,BATCH_ID
ACCEPTED = re.compile(r"[0-9.]+,([0-9]+),([0-9.]+),([0-9]+),([0-9A-Za-z-]{1,80})")
# An error: a code and its text with any separator. A negative balance is not a code.
ERROR = re.compile(r"(-[0-9]{1,9})(?![0-9.])\W*(.*)", re.DOTALL)
DAY = timedelta(days=1)


class Every8d(FormGateway):
    """Has no idempotency key, so a request without an answer is not retried."""

    needs = ("EVERY8D_URL", "EVERY8D_UID", "EVERY8D_PASSWORD")
    query_size = 1

    def __init__(self) -> None:
        super().__init__(settings.EVERY8D_URL, UID=settings.EVERY8D_UID, PWD=settings.EVERY8D_PASSWORD)

    def transmit(self, message: Message) -> Accepted:
        left = message.valid_until - timezone.now() if message.valid_until else DAY
        minutes = max(left // timedelta(minutes=1), 1)
        fields = {"SB": "", "MSG": message.text, "DEST": to_local(message.phone), "ST": "", "RETRYTIME": str(minutes)}
        answer = self.post_form("sendSMS.ashx", fields).strip()
        found = ACCEPTED.fullmatch(answer)
        if not found:
            raise to_gateway_error(answer)
        sent, cost, unsent, batch = found.groups()
        if int(unsent):
            raise GatewayError(
                f"UNSEND: {Reason.NO_CREDIT.label}", reason=Reason.NO_CREDIT, permanent=True, raw_status=unsent
            )
        if not int(sent):
            raise unclear_answer(answer)
        return Accepted(batch, "0", price(cost))

    def balance(self) -> Decimal:
        answer = self.post_form("getCredit.ashx", {}, HEALTH_SECONDS).strip()
        points = amount(answer)
        if points is None or points < 0:
            raise to_gateway_error(answer)
        return points

    def query(self, ids: Sequence[str]) -> list[Receipt]:
        (batch,) = ids
        answer = self.post_form("getDeliveryStatus.ashx", {"BID": batch, "PNO": "1"})
        if answer.startswith("-"):
            raise to_gateway_error(answer.strip())
        # The first line is the number of rows. The columns are NAME MOBILE SEND_TIME COST STATUS RECEIVED_TIME.
        # The last one may be missing, and others may follow.
        rows = [line.split("\t") for line in answer.splitlines()]
        return [
            make_receipt(batch, row[1], row[4], "".join(row[5:6]).strip() or row[2])
            for row in rows
            if len(row) >= 5 and code(row[4])
        ]

    def receipt(self, parameters: Mapping[str, str]) -> Receipt | Reply:
        batch, phone, status, at, reply = parameters_by_name(parameters, "BatchID", "RM", "STATUS", "RT", "SM")
        if not batch or not code(status):
            raise ReceiptError("BatchID or STATUS is missing.")
        if code(status) == REPLY:
            return Reply(batch[:LONGEST_CODE], to_international(phone), reply, parse_time(at))
        return make_receipt(batch[:LONGEST_CODE], phone, status, at)


def make_receipt(batch: str, phone: str, status: str, at: str) -> Receipt:
    return receipt_of(STATUS_OF_CODE, batch, to_international(phone), code(status), at)


def to_gateway_error(answer: str) -> GatewayError:
    """Returns the error for an answer that reports no success."""
    found = ERROR.fullmatch(answer)
    return refusal(found[1], found[2], REFUSALS) if found else unclear_answer(answer)
