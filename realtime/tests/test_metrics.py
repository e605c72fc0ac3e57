from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from prometheus_client import REGISTRY

from orders.tests.factories import make_driver, make_office
from realtime import log, metrics, presence
from realtime.models import Outbox, WebSocketConnection
from realtime.statistics import Statistics
from realtime.tests.test_presence import open_elsewhere

NAMES = {
    "luckygas_hub_events_total": {}, "luckygas_event_deliveries_total": {}, "luckygas_bell_missed_total": {},
    "luckygas_websocket_connects_total": {}, "luckygas_websocket_disconnects_total": {"code": "4401"},
    "luckygas_websocket_errors_total": {"code": "forbidden"}, "luckygas_hub_lag_seconds_count": {},
    "luckygas_hub_lag_seconds_sum": {}, "luckygas_websocket_messages_total": {},
}  # fmt: skip


def told() -> dict[str, float]:
    found = {name: REGISTRY.get_sample_value(name, labels) or 0.0 for name, labels in NAMES.items()}
    for recovered in ("true", "false"):
        found[recovered] = (
            REGISTRY.get_sample_value("luckygas_websocket_reconnects_total", {"recovered": recovered}) or 0
        )
    for le in ("0.1", "0.2", "2.0", "+Inf"):
        found[le] = REGISTRY.get_sample_value("luckygas_hub_lag_seconds_bucket", {"le": le}) or 0
    return found


def test_what_a_hub_counted_is_added_once() -> None:
    hub, now = Statistics(), timezone.now()
    hub.looked(now - timedelta(milliseconds=ms) for ms in (150, 1500, 9000))
    hub.opened(resumes=False, afresh=False)
    hub.opened(resumes=True, afresh=False)
    hub.opened(resumes=True, afresh=False)
    hub.opened(resumes=True, afresh=True)
    hub.ended(4401, 3)
    hub.count("errors.forbidden", 2)
    hub.count("deliveries", 30)
    before = told()
    metrics.add(hub.take())
    metrics.add(hub.take())
    hub.count("messages")
    metrics.add(hub.take())
    new = {name: round(now - before[name], 1) for name, now in told().items()}
    assert new == {
        "luckygas_hub_events_total": 3, "luckygas_event_deliveries_total": 30, "luckygas_bell_missed_total": 0,
        "luckygas_websocket_connects_total": 4, "luckygas_websocket_disconnects_total": 1,
        "luckygas_websocket_errors_total": 2, "luckygas_hub_lag_seconds_count": 3,
        "luckygas_hub_lag_seconds_sum": pytest.approx(10.7, abs=0.1), "luckygas_websocket_messages_total": 1,
        "true": 2, "false": 1, "0.1": 0, "0.2": 1, "2.0": 2, "+Inf": 3,
    }  # fmt: skip


@pytest.mark.django_db
def test_rows_tell_of_the_log_and_of_open_sockets() -> None:
    Outbox.objects.create(type="customer.updated", subject="customer:7", delta={"name": "王"})
    log.number()
    waiting = timezone.now() - timedelta(minutes=1)
    Outbox.objects.create(type="customer.updated", subject="customer:7", delta={"name": "王"}, created_at=waiting)
    office, driver, now = make_office(), make_driver().user, timezone.now()
    assert driver is not None
    for _ in range(2):
        open_elsewhere(office, now, role="office", endpoint="office")
    open_elsewhere(driver, now - presence.DEAD)
    found: dict[tuple[str, ...], float] = {}
    for family in metrics.rows():
        found |= {(sample.name, *sample.labels.values()): sample.value for sample in family.samples}
    assert WebSocketConnection.objects.count() == 3
    assert found["luckygas_events_numbered_total",] == log.head().seq == 1
    assert 59 < found["luckygas_outbox_oldest_seconds",] < 90
    sockets = {key[1:]: count for key, count in found.items() if key[0] == "luckygas_websocket_connections"}
    assert {labels: count for labels, count in sockets.items() if count} == {("office", "office"): 2}
