from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifications.admin import DAYS, totals
from notifications.models import NotificationHistory
from notifications.states import Status
from notifications.tests.factories import make_message
from web import charts
from web.charts import Series

pytestmark = pytest.mark.django_db
LIST = reverse("admin:notifications_notificationhistory_changelist")
ROWS = NotificationHistory.objects


def test_nothing_has_no_totals() -> None:
    assert totals(ROWS.all()) is None


def test_the_sums_of_the_newest_days() -> None:
    for status in (Status.DELIVERED, Status.SENT, Status.FAILED, Status.EXPIRED, Status.UNKNOWN, Status.SUPPRESSED):
        make_message(status, gateway="mitake", points=2)
    make_message(Status.SENT, created_at=timezone.now() - timedelta(days=DAYS))
    found = totals(ROWS.all())
    assert found
    assert found["sum"]["counts"] == {"delivered": 1, "sent": 1, "unknown": 1, "failed": 2}
    assert (found["sum"]["points"], found["taken"], found["delivered"]) == (12, "60 %", "50 %")
    assert (found["taken_low"], found["delivered_low"], found["goal"]) == (True, True, "95 %")


def test_each_day_has_its_place_in_the_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[Sequence[str], Sequence[Series]]] = []

    def bars(labels: Sequence[str], series: Sequence[Series]) -> bytes:
        drawn.append((labels, series))
        return b"<svg/>"

    monkeypatch.setattr(charts, "bars", bars)
    make_message(Status.SENT, created_at=timezone.now() - timedelta(days=2))
    for status in (Status.DELIVERED, Status.FAILED, Status.EXPIRED):
        make_message(status)
    found = totals(ROWS.all())
    assert found
    assert found["image"].startswith("data:image/svg+xml;base64,")
    ((labels, series),) = drawn
    assert (len(labels), [one.values[-3:] for one in series]) == (
        DAYS,
        [(0, 0, 1), (1, 0, 0), (0, 0, 0), (0, 0, 2)],
    )


def test_the_list_shows_the_totals_of_what_it_shows(admin_client: Client) -> None:
    make_message(Status.DELIVERED)
    make_message(Status.FAILED)
    shown = admin_client.get(LIST, {"status__exact": "failed"}).context_data or {}
    assert shown["totals"]["sum"]["counts"] == {"delivered": 0, "sent": 0, "unknown": 0, "failed": 1}


def test_the_totals_take_the_same_queries_for_any_number_of_days(admin_client: Client) -> None:
    counts = []
    for days in range(3):
        make_message(Status.SENT, created_at=timezone.now() - timedelta(days=days))
        with CaptureQueriesContext(connection) as queries:
            totals(ROWS.all())
        counts.append(len(queries))
    assert counts == [2, 2, 2]
