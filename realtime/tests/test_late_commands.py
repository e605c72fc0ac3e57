from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from notifications import sender
from notifications.models import NotificationHistory
from notifications.tests.factories import make_quiet_order
from orders.tests.factories import make_driver
from realtime.channels import Identity
from realtime.commands import carry_out


@pytest.mark.django_db(transaction=True)
def test_late_reports_on_a_socket_wait_for_what_follows_them() -> None:
    driver, now = make_driver(), timezone.now()
    order = make_quiet_order("assigned", driver=driver, created_at=now - timedelta(hours=1))
    identity = Identity.of(driver.user)
    for status, minutes in (("delivering", 2), ("driver_arrived", 1)):
        at = (now - timedelta(minutes=minutes)).isoformat()
        said = {"type": "order_update", "order_id": order.pk, "status": status, "at": at}
        assert carry_out(identity, said)["type"] == "ack"
    rows = NotificationHistory.objects.filter(order=order)
    assert {(row.status, row.send_after is None) for row in rows} == {("pending", False)}
    said = {"type": "delivery.confirmed", "order_id": order.pk, "confirmation_type": "manual"}
    assert carry_out(identity, said)["type"] == "ack"
    assert sender.pool().drain(10)
    assert rows.get(kind="order_delivered").status == "sent"
