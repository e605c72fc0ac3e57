from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone, translation

from notifications.models import NotificationHistory
from notifications.states import Reason, Status
from notifications.tests.factories import make_message
from realtime import log

pytestmark = pytest.mark.django_db


def after_restore() -> None:
    with translation.override("en"):
        call_command("after_restore")


def test_no_cursor_of_before_is_good() -> None:
    before = log.head()
    after_restore()
    after = log.head()
    assert not log.holds(before.seq, before.epoch, floor=after.floor, seq=after.seq, log_epoch=after.epoch)


@pytest.mark.parametrize("status", [Status.PENDING, Status.SENDING])
def test_what_may_have_gone_out_since_the_backup_is_unknown(status: Status, capsys: pytest.CaptureFixture[str]) -> None:
    row = make_message(status)
    after_restore()
    row.refresh_from_db()
    # The gateway that would have sent it knows, where it knows keys.
    assert (row.status, row.status_reason, row.gateway) == (Status.UNKNOWN, Reason.INTERRUPTED, "memory")
    assert "1 messages may have gone out" in capsys.readouterr().out


def test_what_waits_for_the_morning_and_what_is_settled_stay() -> None:
    morning = make_message(send_after=timezone.now() + timedelta(hours=8))
    sent = make_message(Status.SENT)
    after_restore()
    assert dict(NotificationHistory.objects.values_list("pk", "status")) == {
        morning.pk: Status.PENDING, sent.pk: Status.SENT,
    }  # fmt: skip
