from __future__ import annotations

import pytest
from django.contrib.messages import get_messages
from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils.translation import override

from notifications.middleware import HEADER, report_outcomes
from notifications.models import NotificationHistory
from notifications.states import MessageKind, MessageStatus, Reason


def report(path: str, *statuses: str, reason: str = "") -> tuple[HttpRequest, HttpResponse]:
    request = RequestFactory().post(path)
    request.session = {}  # type: ignore[assignment]
    MessageMiddleware(lambda _: HttpResponse()).process_request(request)
    rows = [NotificationHistory(kind=MessageKind.ORDER_CONFIRMED, status=one, status_reason=reason) for one in statuses]
    with override("en"):
        return request, report_outcomes(request, HttpResponse(), rows)


def test_api_gets_header_and_no_page_message() -> None:
    request, response = report(
        "/api/v1/orders/bulk-update/", *[MessageStatus.SENT] * 298, MessageStatus.FAILED, MessageStatus.FAILED
    )
    assert response[HEADER] == "order_confirmed=failed;count=2, order_confirmed=sent;count=298"
    assert list(get_messages(request)) == []


@pytest.mark.parametrize(
    ("status", "reason", "tag", "text"),
    [
        (MessageStatus.SUPPRESSED, Reason.NO_MOBILE, "error", "no mobile number and no e-mail"),
        (MessageStatus.FAILED, Reason.REFUSED, "error", "refused by the provider"),
        (MessageStatus.UNKNOWN, Reason.NO_ANSWER, "error", "the provider did not respond"),
        (MessageStatus.SUPPRESSED, Reason.SWITCHED_OFF, "info", "turned off"),
        (MessageStatus.PENDING, Reason.UNKNOWN_CODE, "info", "an unknown code"),
        (MessageStatus.SENT, "", "info", "(1)"),
    ],
)
def test_outcome_is_shown_with_level_and_reason(status: MessageStatus, reason: str, tag: str, text: str) -> None:
    request, response = report("/admin/", status, reason=reason)
    (line,) = get_messages(request)
    assert (line.level_tag, text in str(line), HEADER in response) == (tag, True, False)


def test_no_outcome_adds_nothing() -> None:
    request, response = report("/admin/")
    assert (HEADER in response, list(get_messages(request))) == (False, [])
