from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications.gateways.local import Memory
from notifications.models import NotificationHistory
from notifications.states import MessageKind, MessageStatus
from notifications.tests.factories import make_message, make_quiet_order
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import make_customer, make_office, make_order, make_staff

pytestmark = pytest.mark.django_db


def message(status: str = MessageStatus.SENT, **fields: Any) -> NotificationHistory:
    order = make_quiet_order(customer=make_customer(phone="0912-345-678"))
    return make_message(status, **({"order": order} | fields))


@pytest.mark.parametrize(("role", "shown"), [("clerk", "0912-***-678"), ("manager", "+886912345678")])
def test_whole_number_is_shown_to_managers_in_a_single_message(role: str, shown: str) -> None:
    row, api = message(), Api(make_staff(role))
    assert api.get("notifications/").json()["results"][0]["recipient"] == "0912-***-678"
    assert api.get(f"notifications/{row.pk}/").json()["recipient"] == shown


def test_list_takes_constant_queries() -> None:
    api, counts = make_api("office"), []
    api.get("notifications/")
    for number in (1, 2):
        resent = message(MessageStatus.FAILED)
        make_message(MessageStatus.SENT, order=resent.order, resend_of=resent)
        with CaptureQueriesContext(connection) as queries:
            assert api.get("notifications/").json()["count"] == 2 * number
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "failed"}, 1),
        ({"status": "failed,sent"}, 2),
        ({"kind": MessageKind.ORDER_CONFIRMED}, 2),
        ({"kind": MessageKind.ORDER_DELIVERED}, 0),
        ({"created_at_from": "2026-11-23", "created_at_to": "2026-11-23"}, 1),
        ({"created_at_to": "2026-11-22"}, 0),
    ],
)
def test_the_list_can_be_filtered(query: dict[str, str], expected: int) -> None:
    message(MessageStatus.FAILED)
    message(created_at=timezone.make_aware(datetime(2026, 11, 23, 23, 59)))  # noqa: DTZ001  (made aware here)
    NotificationHistory.objects.filter(status=MessageStatus.FAILED).unannounced().update(
        created_at="2026-11-24T00:00+08:00"
    )
    assert make_api("office").get("notifications/", **query).json()["count"] == expected


def test_the_list_can_be_filtered_by_order_and_customer() -> None:
    row, _ = message(), message()
    for query in ({"order": row.order_id}, {"customer": row.customer_id}):
        assert make_api("office").get("notifications/", **query).json()["count"] == 1


@pytest.mark.parametrize(
    "query",
    [{"status": "lost"}, {"kind": "x"}, {"order": "x"}, {"order": 2**64}, {"created_at_from": "2026-02-30"},
     {"created_at_from": "0001-01-01"}, {"created_at_to": "9999-12-31"}],
)  # fmt: skip
def test_invalid_filter_causes_no_server_error(query: dict[str, Any]) -> None:
    is_invalid = {"0001-01-01", "9999-12-31"}.isdisjoint(query.values())
    assert make_api("office").get("notifications/", **query).status_code in ({400} if is_invalid else {200, 400})


@pytest.mark.parametrize("pk", [uuid.uuid4(), "1", "x", "0" * 36, "-" * 36])
def test_unknown_message_is_404(pk: Any) -> None:
    assert make_api("office").get(f"notifications/{pk}/").status_code == 404


@pytest.mark.parametrize("method", ["put", "patch", "delete", "post"])
def test_history_is_read_only(method: str) -> None:
    answer = getattr(make_api("office").client, method)(f"/api/v1/notifications/{message().pk}/", {})
    assert answer.status_code == 405


@pytest.mark.django_db(transaction=True)
def test_resend_answers_with_the_outcome() -> None:
    row, api = message(MessageStatus.FAILED), make_api("office")
    answer = api.post(f"notifications/{row.pk}/resend/")
    body = answer.json()
    assert (answer.status_code, body["status"], body["resend_of"]) == (200, "sent", str(row.pk))
    assert answer["Sms-Outcome"] == "order_confirmed=sent"
    assert NotificationHistory.objects.get(pk=body["id"]).requested_by == api.user
    assert api.get(f"notifications/{row.pk}/").json()["resent_as"] == body["id"]
    assert len(Memory.outbox) == 1


@pytest.mark.django_db(transaction=True)
def test_confirming_over_rest_returns_sms_outcome() -> None:
    answer = make_api("office").patch(f"orders/{make_order().pk}/status/", {"status": "confirmed"})
    assert (answer.status_code, answer["Sms-Outcome"]) == (200, "order_confirmed=sent")


def test_message_has_cost_and_cause() -> None:
    office = make_office()
    row = message(points="1.50", caused_by=office, requested_by=office, overruled=True)
    row.trail.create(status=MessageStatus.SENT, gateway="mitake", raw_status="1", by=office)
    row.trail.create(status=MessageStatus.SENT, reply="謝謝")
    api = Api(office)
    expected = {"points": 1.5, "caused_by": office.pk, "requested_by": office.pk, "overruled": True}
    (listed,) = api.get("notifications/").json()["results"]
    one = api.get(f"notifications/{row.pk}/").json()
    for found in (listed, one):
        assert expected.items() <= found.items()
        assert datetime.fromisoformat(found["happened_at"]) == row.happened_at
    step = {"status": "sent", "reason": "", "raw_status": "1", "gateway": "mitake", "reply": "", "by": office.pk}
    assert step.items() <= one["trail"][0].items()
    assert (one["trail"][0]["at"] is None, one["trail"][1]["reply"]) == (False, "謝謝")


def test_statistics_sum_by_day_gateway_and_status() -> None:
    today = timezone.localdate()
    for status, gateway, segments in [("sent", "http", 1), ("delivered", "http", 2), ("failed", "http", 1),
                                      ("unknown", "console", 1), ("suppressed", "", 0)]:  # fmt: skip
        message(status, gateway=gateway, segments=segments)
    message(created_at=timezone.now() - timedelta(days=40))
    found = make_api("office").get("notifications/statistics/").json()
    assert (found["to"], found["messages"], found["segments"], found["taken_share"]) == (str(today), 5, 4, 0.5)
    assert found["from"] == str(today - timedelta(days=29))
    day = {"day": str(today), "gateway": "http"}
    assert {**day, "status": "delivered", "messages": 1, "segments": 2, "points": 0} in found["days"]
    http = {"messages": 3, "tried": 3, "segments": 3, "points": 0, "taken_share": 0.6667, "delivered_share": None}
    assert {**day, **http} in found["gateways"]


def test_statistics_use_days_of_taipei() -> None:
    message(created_at=datetime.fromisoformat("2026-11-22T16:00+00:00"))
    message(created_at=datetime.fromisoformat("2026-11-22T15:59+00:00"))
    found = make_api("office").get("notifications/statistics/", **{"from": "2026-11-23", "to": "2026-11-23"}).json()
    assert (found["messages"], found["days"][0]["day"]) == (1, "2026-11-23")


def test_statistics_without_messages_are_zero() -> None:
    found = make_api("office").get("notifications/statistics/").json()
    assert (found["messages"], found["segments"], found["taken_share"], found["days"]) == (0, 0, None, [])
    assert (found["delivered_share"], found["points"], found["gateways"]) == (None, 0, [])


@pytest.mark.parametrize("query", [{"from": "x"}, {"from": "2026-11-24", "to": "2026-11-23"}, {"from": "1999-01-01"}])
def test_statistics_refuse_invalid_period(query: dict[str, str]) -> None:
    assert make_api("office").get("notifications/statistics/", **query).status_code == 400


def test_the_schema_has_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--urlconf", "notifications.urls", "--validate", "--fail-on-warn")
    schema = capsys.readouterr().out
    assert "/notifications/{id}/resend/" in schema


@pytest.mark.django_db(transaction=True)
def test_resending_after_opt_out_needs_a_valid_overrule_flag() -> None:
    row = message(MessageStatus.SUPPRESSED, status_reason="opt_out", attempts=0)
    office = make_office()
    path = f"notifications/{row.pk}/resend/"
    assert codes(Api(office).post(path)) == [("opt_out", "status")]
    assert codes(Api(office).post(path, {"overule": True})) == [("unknown_field", "overule")]
    assert codes(Api(office).post(path, {"overrule": "perhaps"})) == [("invalid", "overrule")]
    assert Api(office).post(path, {"overrule": True}).json()["status"] == MessageStatus.SENT
    row.refresh_from_db()
    assert (row.overruled, row.requested_by) == (True, office)
