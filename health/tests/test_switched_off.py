from __future__ import annotations

import pytest

from health.parts import ask_notifications
from orders.tests.factories import turn
from web import flags


@pytest.mark.django_db(transaction=True)
def test_messages_that_are_switched_off_are_no_good_health() -> None:
    told = ask_notifications()
    assert (told["status"], told["switched_on"]) == ("healthy", True)
    turn(flags.SMS, False)
    told = ask_notifications()
    assert (told["status"], told["switched_on"]) == ("degraded", False)
