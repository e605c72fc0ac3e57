from __future__ import annotations

from datetime import date

import pytest

from notifications import statistics
from notifications.states import Status
from notifications.tests.factories import make_message

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 23)


def made(status: str, at: str = "2026-11-23T12:00+08:00", **fields: object) -> None:
    make_message(status, created_at=at, **fields)


@pytest.mark.parametrize(
    ("status", "share", "segments"),
    [(Status.SENT, 1, 2), (Status.DELIVERED, 1, 2), (Status.FAILED, 0, 0), (Status.EXPIRED, 1, 2),
     (Status.UNKNOWN, 0, 2), (Status.SUPPRESSED, None, 0), (Status.PENDING, None, 0)],
)  # fmt: skip
def test_what_counts_as_taken_and_as_paid(status: str, share: float | None, segments: int) -> None:
    made(status, segments=2)
    found = statistics.summary(DAY, DAY)
    assert (found["messages"], found["taken_share"], found["segments"]) == (1, share, segments)


def test_both_ends_are_included_in_taipeis_days() -> None:
    for at in ("2026-11-22T23:59+08:00", "2026-11-23T00:00+08:00", "2026-11-24T23:59+08:00", "2026-11-25T00:00+08:00"):
        made(Status.SENT, at)
    found = statistics.summary(DAY, date(2026, 11, 24))
    assert [(row["day"], row["messages"]) for row in found["days"]] == [(DAY, 1), (date(2026, 11, 24), 1)]


def test_what_the_provider_took_and_did_not_deliver_counts_as_taken() -> None:
    made(Status.FAILED, sent_at="2026-11-23T12:00+08:00")
    made(Status.FAILED)
    assert statistics.summary(DAY, DAY)["taken_share"] == 0.5


def test_only_who_tells_the_end_counts_for_the_share_delivered() -> None:
    for status in (Status.DELIVERED, Status.DELIVERED, Status.EXPIRED, Status.FAILED, Status.SENT, Status.UNKNOWN):
        made(status, gateway="mitake", points="1.50", sent_at="2026-11-23T12:00+08:00")
    # Never taken, so none that could have arrived.
    made(Status.FAILED, gateway="mitake")
    made(Status.FAILED, gateway="http")
    made(Status.FAILED, gateway="no longer installed")
    found = statistics.summary(DAY, DAY)
    assert (found["delivered_share"], found["points"]) == (0.5, 9)
    by_gateway = {row["gateway"]: row["delivered_share"] for row in found["gateways"]}
    assert by_gateway == {"mitake": 0.5, "http": None, "no longer installed": None}
