from __future__ import annotations

import pytest
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils.translation import override

from notifications import sender
from notifications.middleware import HEADER, outcomes, tell
from notifications.models import NotificationHistory
from notifications.states import Kind, Reason, Status


def told(*statuses: str) -> list[NotificationHistory]:
    return [NotificationHistory(kind=Kind.ORDER_CONFIRMED, status=status) for status in statuses]


def collect(rows: list[NotificationHistory]) -> None:
    collected = sender._collected.get()
    assert collected is not None
    collected.extend(rows)


def answer(path: str, *statuses: str) -> tuple[HttpRequest, HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        collect(told(*statuses))
        return HttpResponse()

    request = RequestFactory().post(path)
    request.session = {}  # type: ignore[assignment]
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
    return request, outcomes(view)(request)


def test_the_api_gets_a_header() -> None:
    request, response = answer("/api/v1/orders/1/status/", Status.SENT)
    assert response[HEADER] == "order_confirmed=sent"
    assert list(get_messages(request)) == []


def test_many_are_counted_and_the_header_stays_short() -> None:
    _, response = answer("/api/v1/orders/bulk-update/", *[Status.SENT] * 298, Status.FAILED, Status.FAILED)
    assert response[HEADER] == "order_confirmed=failed;count=2, order_confirmed=sent;count=298"


def test_a_page_gets_a_line() -> None:
    request, response = answer("/admin/orders/order/1/change/", Status.FAILED)
    assert HEADER not in response
    (line,) = get_messages(request)
    assert "1" in str(line)


@pytest.mark.parametrize(
    ("status", "reason", "tag", "words"),
    [
        (Status.SUPPRESSED, Reason.NO_MOBILE, "error", "no mobile number"),
        (Status.FAILED, Reason.REFUSED, "error", "refused by the provider"),
        (Status.UNKNOWN, Reason.NO_ANSWER, "error", "the provider did not answer"),
        (Status.SUPPRESSED, Reason.SWITCHED_OFF, "info", "switched off"),
        (Status.PENDING, Reason.UNKNOWN_CODE, "info", "a code that is not known"),
        (Status.SENT, "", "info", "(1)"),
    ],
)
def test_what_was_not_sent_looks_like_a_failure_and_says_why(status: Status, reason: str, tag: str, words: str) -> None:
    request = RequestFactory().post("/admin/")
    request.session = {}  # type: ignore[assignment]
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
    with override("en"):
        tell(
            request,
            HttpResponse(),
            [NotificationHistory(kind=Kind.ORDER_CONFIRMED, status=status, status_reason=reason)],
        )
    (line,) = get_messages(request)
    assert line.level_tag == tag
    assert words in str(line)


def test_nothing_told_is_nothing_said() -> None:
    request, response = answer("/admin/")
    assert (HEADER in response, list(get_messages(request))) == (False, [])


def test_outside_of_a_request_nothing_is_collected() -> None:
    answer("/api/v1/", Status.SENT)
    assert sender._collected.get() is None
