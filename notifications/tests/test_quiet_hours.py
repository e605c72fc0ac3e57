from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from notifications import sender, sending_rules
from notifications.gateways.local import Memory
from notifications.models import NotificationHistory
from notifications.tests.factories import make_quiet_order
from orders.states import Status as OrderStatus
from orders.tests.factories import make_order

TAIPEI = ZoneInfo("Asia/Taipei")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=TAIPEI)


@pytest.mark.parametrize(
    ("hours", "moment", "ends"),
    [
        ("21:00-08:00", at(23, 20, 59), None),
        ("21:00-08:00", at(23, 21), at(24, 8)),
        ("21:00-08:00", at(24, 0), at(24, 8)),
        ("21:00-08:00", at(24, 7, 59), at(24, 8)),
        ("21:00-08:00", at(24, 8), None),
        ("12:00-13:30", at(23, 12, 30), at(23, 13, 30)),
        ("12:00-13:30", at(23, 13, 30), None),
        ("00:00-06:00", at(23, 0), at(23, 6)),
        ("", at(23, 3), None),
    ],
)
def test_the_night_ends(settings: Any, hours: str, moment: datetime, ends: datetime | None) -> None:
    settings.SMS_QUIET_HOURS = hours
    assert sending_rules.night_ends(moment) == ends


@pytest.mark.parametrize("hours", ["21:00", "night", "25:00-08:00", "21:00-08:00-09:00", "08:00-08:00"])
def test_nonsense_is_refused(settings: Any, hours: str) -> None:
    settings.SMS_QUIET_HOURS = hours
    with pytest.raises(ValueError, match="format|unconverted"):
        sending_rules.quiet_hours()


@pytest.mark.django_db(transaction=True)
def test_by_night_a_message_waits_for_the_morning(settings: Any) -> None:
    settings.SMS_QUIET_HOURS = "21:00-08:00"
    with time_machine.travel(at(23, 22, 30), tick=False):
        order = make_order()
        order.transition_to(OrderStatus.CONFIRMED)
    row = NotificationHistory.objects.get(order=order)
    assert (row.status, row.attempts, row.send_after, Memory.outbox) == ("pending", 0, at(24, 8), [])
    with time_machine.travel(at(24, 8), tick=False):
        sender.deliver_one(row.pk)
    assert len(Memory.outbox) == 1


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_the_driver_by_night_is_told(settings: Any) -> None:
    settings.SMS_QUIET_HOURS = "21:00-08:00"
    with time_machine.travel(at(23, 22, 30), tick=False):
        make_quiet_order(OrderStatus.DELIVERING).transition_to(OrderStatus.ARRIVING)
    assert len(Memory.outbox) == 1
