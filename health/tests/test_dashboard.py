from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
import time_machine
from django.test import Client
from django.utils import timezone, translation

from health import history
from health.parts import check_notifications
from health.verdict import faults
from health.views import figure, milliseconds
from luckygas.testing.servers import free_port
from notifications.models import NotificationHistory
from orders.tests.factories import make_customer, make_driver, make_office, make_order, set_switch
from pages import office as office_pages
from web import flags
from web.models import SystemMetric
from web.system_metrics import MINUTE
from web.tests.metrics_rows import lags, make_minute, reset_counts

PAGE = "/health/dashboard/"


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(make_office())
    return client


def plots(page: str) -> list[str]:
    return re.findall(r'src="(/health/dashboard/\w+/\w+\.svg\?v=\w+)"', page)


@pytest.mark.django_db(transaction=True)
def test_dashboard_is_closed_to_drivers_and_strangers(client: Client) -> None:
    assert client.get(PAGE).headers["Location"].startswith("/accounts/login/")
    client.force_login(make_driver().user)
    for path in (PAGE, "/health/dashboard/hour/events.svg"):
        answer = client.get(path)
        assert (answer.status_code, "幸福氣" in answer.content.decode()) == (403, True)


@pytest.mark.django_db(transaction=True)
def test_dashboard_shows_faults_and_figures(office: Client, settings: Any) -> None:
    make_order()
    reset_counts()
    headers = {"Accept-Language": "en"}
    page = office.get(PAGE, headers=headers).content.decode()
    assert "Everything works." in page
    assert len(plots(page)) == 12
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    make_minute(timezone.now(), {"luckygas_http_requests_total GET / 500": 2})
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(office_pages, "board", None)
        office.raise_request_exception = False
        assert office.get("/").status_code == 500
    page = office.get(PAGE, headers=headers).content.decode()
    assert "Redis does not respond." in page
    assert "3 requests failed in the last ten minutes." in page


@pytest.mark.django_db(transaction=True)
def test_url_of_plot_changes_with_its_content(office: Client) -> None:
    # The clock stands still, because a new minute would also change the plots.
    with mock.patch.object(timezone, "now", return_value=timezone.now()):
        before = plots(office.get(PAGE).content.decode())
        assert plots(office.get(PAGE).content.decode()) == before
    gauges = {"luckygas_websocket_connections office ws": 4}
    make_minute(timezone.now() - timedelta(minutes=1), {"luckygas_events_numbered_total": 60}, gauges)
    after = plots(office.get(PAGE).content.decode())
    changed = {url.split("?")[0] for url in set(after) - set(before)}
    assert {"/health/dashboard/hour/connections.svg", "/health/dashboard/hour/events.svg"} <= changed


@pytest.mark.django_db(transaction=True)
def test_plot_cannot_run_or_load_anything(office: Client) -> None:
    for url in plots(office.get(PAGE).content.decode()):
        answer = office.get(url)
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/svg+xml")
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert not re.search(r"(href|src)=.?(https?:)?//|@import|url\(", answer.content.decode())


@pytest.mark.django_db(transaction=True)
def test_unknown_plot_is_404(office: Client) -> None:
    for path in ("hour/nothing.svg", "week/events.svg"):
        assert office.get(PAGE + path).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_menus_link_to_the_dashboard(office: Client) -> None:
    for path in ("/", "/admin/"):
        assert PAGE in office.get(path).content.decode()


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0, "0"), (1234567, "1,234,567"), (Decimal("991.00"), "991"), (2.525, "2.525")]
)
def test_figure_has_separators_and_no_trailing_zeros(value: Any, text: str) -> None:
    assert figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.4321, "0.432 ms"), (19.54, "19.5 ms"), (5000.0, "5,000 ms"), (123.4, "123 ms")]
)
def test_milliseconds_have_three_digits_or_no_fraction(value: float | None, text: str) -> None:
    assert milliseconds(value) == text


HEALTHY: dict[str, Any] = {"status": "healthy", "ms": 1.0}
PROVIDER = {"name": "mitake", "status": "healthy", "reachable": True, "stopped_because": ""}
ANSWERS: dict[str, dict[str, Any]] = {
    "database": HEALTHY,
    "migrations": HEALTHY,
    "redis": HEALTHY,
    "websocket": HEALTHY | {
        "connections": 3, "hub_stuck": False, "bells_are_missed": False, "waiting_seconds": 0.0, "hub_lag_p99_ms": 12.0,
    },
    "notifications": HEALTHY | {
        "pending": 0, "unknown": 0, "oldest_pending_seconds": 0.0, "success_rate_24h": 0.99, "sms_provider": PROVIDER,
        "sms_fallback": None,
    },
}  # fmt: skip
STOPPED = PROVIDER | {"status": "unhealthy", "stopped_because": "no credit"}
UNKNOWN_CODE = PROVIDER | {"status": "degraded", "not_understood": "~: ?"}
UNREACHABLE = {"name": "http", "status": "unhealthy", "detail": "no response within 3 s"}
DOWN = {"status": "unhealthy", "detail": "no response within 1 s"}


@pytest.fixture
def english() -> Any:
    with translation.override("en"):
        yield


def fault_texts(part: str = "database", failed: int = 0, **answer: Any) -> list[str]:
    found = faults(ANSWERS | {part: ANSWERS[part] | answer}, failed)
    assert all(fault.remedy for fault in found)
    return [fault.text for fault in found]


@pytest.mark.usefixtures("english")
def test_healthy_parts_give_no_fault() -> None:
    assert fault_texts() == []


@pytest.mark.usefixtures("english")
@pytest.mark.parametrize(
    ("part", "answer", "text"),
    [
        ("migrations", {"status": "unhealthy"}, "does not have this version's tables"),
        ("redis", {"status": "degraded"}, "Redis does not respond"),
        ("websocket", {"hub_stuck": True}, "no longer sends changes"),
        ("websocket", {"waiting_seconds": 45.3}, "A change has waited 45 seconds"),
        ("websocket", {"bells_are_missed": True}, "most internal messages sent through Redis are lost"),
        ("websocket", {"hub_lag_p99_ms": 2500.0}, "more than two seconds late"),
        ("notifications", {"sms_provider": STOPPED}, "Messages through mitake are stopped: no credit"),
        (
            "notifications",
            {"sms_provider": UNKNOWN_CODE},
            "The provider mitake responded with an unknown code: ~: ?",
        ),
        ("notifications", {"sms_fallback": UNREACHABLE}, "The SMS provider http does not respond"),
        ("notifications", {"oldest_pending_seconds": 601.0}, "has waited for 10 minutes"),
        ("notifications", {"unknown": 2}, "Delivery status unknown for 2 messages"),
        ("notifications", {"success_rate_24h": 0.9}, "90 % were sent or delivered"),
    ],
)
def test_each_fault_has_its_sentence(part: str, answer: dict[str, Any], text: str) -> None:
    (found,) = fault_texts(part, **answer)
    assert text in found


@pytest.mark.usefixtures("english")
@pytest.mark.parametrize("part", ["websocket", "notifications"])
def test_part_without_answer_is_a_fault(part: str) -> None:
    (found,) = faults(ANSWERS | {part: DOWN}, 0)
    assert "cannot be read" in found.text


@pytest.mark.usefixtures("english")
def test_dead_database_is_the_only_fault() -> None:
    (found,) = faults(dict.fromkeys(ANSWERS, DOWN), 7)
    assert (found.text, found.is_bad) == ("The database does not respond.", True)


@pytest.mark.usefixtures("english")
def test_broken_parts_come_before_degraded_ones() -> None:
    found = fault_texts("redis", failed=1, status="degraded")
    assert found == ["1 request failed in the last ten minutes.", "Redis does not respond."]


@pytest.mark.usefixtures("english")
def test_switched_off_feature_is_a_fault_with_its_meaning() -> None:
    flags.forget()
    flags.remember(flags.SwitchesRead(1e18, frozenset({flags.SMS})))
    (fault,) = faults(ANSWERS, 0)
    assert fault.text == "The switch “sms_notifications” is turned off."
    assert "messages wait" in fault.remedy


NOW = datetime(2026, 11, 23, 4, 10, 30, tzinfo=UTC)
HOUR = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
COUNTS = {"luckygas_events_numbered_total": 120, "luckygas_websocket_errors_total forbidden": 2} | lags(ms_5=10)
GAUGES = {"luckygas_websocket_connections office ws": 7, "luckygas_orders pending": 3, "luckygas_orders delivered": 9}


@pytest.fixture
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def make_message(at: datetime, status: str) -> None:
    NotificationHistory.objects.create(
        customer=make_customer(), kind="order_confirmed", status=status, created_at=at, sent_at=at
    )


@pytest.mark.django_db
@pytest.mark.usefixtures("clock")
def test_hour_has_sixty_minutes_with_gaps_for_missing_ones() -> None:
    make_minute(NOW - MINUTE, COUNTS | {"luckygas_http_requests_total GET / 500": 1}, GAUGES)
    for minute, status in ((9, "sent"), (9, "failed"), (9, "sent")):
        make_message(NOW.replace(minute=minute), status)
    found = history.last_hour(NOW)
    assert (len(found), found[0].label, found[-1].label) == (60, "11:10", "12:09")
    newest, before = found[-1], found[-2]
    assert (newest.figures["connections"], newest.figures["events_per_second"]) == (7, 2.0)
    assert (newest.figures["failed_requests"], newest.orders) == (1, {"pending": 3})
    assert newest.messages == {"sent": 2, "failed": 1}
    assert (before.figures["connections"], before.figures["failed_requests"], before.orders) == (None, 0, None)


@pytest.mark.django_db
@pytest.mark.usefixtures("clock")
def test_day_has_snapshots_and_the_unfinished_hour() -> None:
    figures = history.sum_minutes([make_minute(HOUR, COUNTS, GAUGES)]) | {"orders": {"pending": 9}}
    for back in (1, 23, 24):
        SystemMetric.objects.create(span="hour", at=HOUR - timedelta(hours=back), metrics_json=figures)
    make_minute(HOUR + MINUTE, {}, {"luckygas_websocket_connections office ws": 11})
    make_order("confirmed")
    make_message(HOUR - timedelta(minutes=30), "delivered")
    found = history.last_day(NOW)
    assert (len(found), found[0].label, found[-1].label) == (24, "13:00", "12:00")
    assert [moment.figures["connections"] for moment in found] == [7, *[None] * 21, 7, 9]
    assert (found[-1].orders, found[-2].orders, found[0].orders) == ({"confirmed": 1}, {"pending": 9}, {"pending": 9})
    assert found[-2].messages["delivered"] == 1


@pytest.mark.django_db
@pytest.mark.usefixtures("clock")
def test_number_of_queries_does_not_grow_with_data(django_assert_max_num_queries: Any) -> None:
    for minute in range(10):
        make_minute(HOUR + timedelta(minutes=minute), COUNTS, GAUGES)
    with django_assert_max_num_queries(2):
        history.last_hour(NOW)
    with django_assert_max_num_queries(4):
        history.last_day(NOW)


@pytest.mark.django_db(transaction=True)
def test_switched_off_messages_degrade() -> None:
    answer = check_notifications()
    assert (answer["status"], answer["switched_on"]) == ("healthy", True)
    set_switch(flags.SMS, False)
    answer = check_notifications()
    assert (answer["status"], answer["switched_on"]) == ("degraded", False)
