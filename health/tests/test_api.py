from __future__ import annotations

import socket
import threading
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from health import parts
from luckygas.testing.sandbox.faults import FaultKind, On, SandboxFault
from luckygas.testing.sandbox.server import Sandbox
from luckygas.testing.servers import Redis, free_port, running
from notifications import sender
from notifications.gateways.base import Accepted, Message
from notifications.gateways.mitake import Mitake
from notifications.models import GatewayState, NotificationHistory
from orders.tests.factories import make_customer, make_office, make_user
from realtime import log
from realtime.hub import Hub
from realtime.metrics import Pulse
from realtime.models import Outbox
from realtime.tests.test_presence import open_elsewhere

pytestmark = pytest.mark.django_db(transaction=True)
PARTS = ("database", "redis", "websocket", "notifications")


@pytest.fixture(autouse=True)
def empty_provider_cache() -> None:
    parts.provider_cache.clear()


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(make_office())
    return client


def test_live_makes_no_query(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


def test_ready_is_open_and_names_its_parts(client: Client) -> None:
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert set(answer.json()) == {"status", "database", "migrations", "redis"}
    assert answer.json()["database"]["ms"] >= 0


@pytest.mark.parametrize(("listens", "detail"), [(False, "ConnectionError"), (True, "TimeoutError")])
def test_ready_without_redis_is_degraded_with_200(
    client: Client, settings: Settings, listens: bool, detail: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.REDIS_URL = f"redis://127.0.0.1:{listener.getsockname()[1] if listens else free_port()}/0"
        answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["redis"]["detail"] == detail


def test_ready_with_missing_migrations_is_503(client: Client) -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("realtime", "0001_initial")
    parts.all_applied.cache_clear()
    answer = client.get("/health/ready")
    recorder.record_applied("realtime", "0001_initial")
    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")
    assert "migrate" in answer.json()["migrations"]["detail"]


@pytest.mark.servers
def test_dead_redis_degrades(client: Client, settings: Settings) -> None:
    with running(Redis()) as redis:
        settings.REDIS_URL = redis.url
        assert client.get("/health/ready").json()["redis"]["status"] == "healthy"
    assert client.get("/health/ready").json()["redis"]["status"] == "degraded"


@pytest.mark.parametrize("part", ["", *PARTS])
def test_parts_are_open_to_monitors_and_closed_to_others(client: Client, settings: Settings, part: str) -> None:
    settings.MONITORING_TOKEN = "a-monitor's-own"
    wrong = {"Authorization": "Bearer nonsense"}
    right = {"Authorization": "Bearer a-monitor's-own"}
    assert client.get(f"/health/{part}").status_code == 401
    assert client.get(f"/health/{part}", headers=wrong).status_code == 401
    client.force_login(make_user())
    assert client.get(f"/health/{part}").status_code == 403
    client.logout()
    assert client.get(f"/health/{part}", headers=right).status_code == 200
    assert client.get("/api/v1/orders/", headers=right).status_code == 401


def test_empty_monitoring_token_grants_no_access(client: Client, settings: Settings) -> None:
    settings.MONITORING_TOKEN = ""
    assert client.get("/health/database", headers={"Authorization": "Bearer "}).status_code == 401


def test_the_summary_has_every_part(office: Client) -> None:
    assert set(office.get("/health/").json()) == {"status", "migrations", *PARTS}


def test_websocket_check_reports_connections_bells_and_redis(office: Client) -> None:
    answer = office.get("/health/websocket").json()
    assert {"status", "connections", "redis", "bell_missed", "hub_lag_ms", "by_role", "error_rate"} <= set(answer)
    assert answer["redis"] == "healthy"


def test_stuck_hub_is_unhealthy(office: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = SimpleNamespace(pulse=SimpleNamespace(seconds_since_round=6.0, misses_bells=False))
    monkeypatch.setattr(Hub, "instances", lambda: [hub])
    answer = office.get("/health/websocket")
    assert (answer.status_code, answer.json()["hub_stuck"]) == (503, True)


@pytest.mark.parametrize(
    ("by_bell", "missed", "status"), [(1, 9, "degraded"), (31, 9, "healthy"), (0, 4, "healthy"), (0, 0, "healthy")]
)
@pytest.mark.servers
def test_missed_bells_degrade_although_redis_answers(
    office: Client, monkeypatch: pytest.MonkeyPatch, by_bell: int, missed: int, status: str
) -> None:
    pulse, now = Pulse(), timezone.now()
    pulse.record_round([now] * by_bell)
    pulse.record_round([now] * missed, by_bell=False)
    monkeypatch.setattr(Hub, "instances", lambda: [SimpleNamespace(pulse=pulse)])
    answer = office.get("/health/websocket").json()
    assert (answer["status"], answer["redis"]) == (status, "healthy")


@pytest.mark.parametrize(("servers", "seconds", "waits"), [(1, 40, 40), (1, 10, 10), (1, 3, 0), (0, 40, 0)])
@pytest.mark.servers
def test_change_without_id_is_unhealthy_while_a_server_runs(
    office: Client, servers: int, seconds: int, waits: int
) -> None:
    Outbox.objects.all().delete()
    Outbox.objects.create(type="custom.x", subject="custom", created_at=timezone.now() - timedelta(seconds=seconds))
    for _ in range(servers):
        open_elsewhere(make_office(), timezone.now())
    answer = office.get("/health/websocket")
    assert (answer.status_code, answer.json()["waiting_seconds"] // 10 * 10) == (503 if waits else 200, waits)


@pytest.mark.servers
def test_old_change_that_gets_its_id_is_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    now, looks = timezone.now(), iter((50, 50, 50, 49))
    monkeypatch.setattr(log, "oldest_waiting_time", lambda: now - timedelta(seconds=next(looks)))
    assert parts.seconds_without_id() == 0


def make_message(status: str, **fields: Any) -> None:
    NotificationHistory.objects.create(customer=make_customer(), kind="order_confirmed", status=status, **fields)


def test_notification_check_counts_messages(office: Client) -> None:
    now = timezone.now()
    make_message("sent", sent_at=now)
    make_message("delivered", sent_at=now, delivered_at=now)
    make_message("delivered", sent_at=now)
    make_message("failed")
    make_message("unknown")
    make_message("pending", created_at=now - timedelta(minutes=10))
    make_message("pending", created_at=now - timedelta(days=2), send_after=now + timedelta(hours=1))
    answer = office.get("/health/notifications").json()
    assert answer["status"] == "degraded"
    assert (answer["notifications_sent_today"], answer["notifications_failed_today"]) == (3, 1)
    assert (answer["pending"], answer["unknown"], answer["success_rate_24h"]) == (2, 1, 0.6)
    assert 590 < answer["oldest_pending_seconds"] < 660
    assert answer["sms_provider"]["name"] == configured.SMS_GATEWAY


def test_deferred_message_waits_from_the_time_when_it_is_due(office: Client) -> None:
    now = timezone.now()
    make_message("pending", created_at=now - timedelta(hours=11), send_after=now - timedelta(seconds=30))
    answer = office.get("/health/notifications").json()
    assert answer["status"] == "healthy"
    assert 29 < answer["oldest_pending_seconds"] < 60


def test_provider_busy_for_hours_degrades(office: Client) -> None:
    now = timezone.now()
    make_message(
        "pending", status_reason="busy", created_at=now - timedelta(hours=3), send_after=now + timedelta(seconds=40)
    )
    answer = office.get("/health/notifications").json()
    assert (answer["status"], answer["oldest_pending_seconds"] > 10_000) == ("degraded", True)


def test_health_check_does_not_wait_for_messages_after_new_credit(
    office: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def transmit(self: Mitake, message: Message) -> Accepted:
        release.wait(20)
        return Accepted("1", "1")

    monkeypatch.setattr(Mitake, "balance", lambda _: Decimal(110))
    monkeypatch.setattr(Mitake, "transmit", transmit)
    settings.SMS_GATEWAY = "mitake"
    GatewayState.objects.create(gateway="mitake", stopped_at=timezone.now(), stopped_because="no credit")
    make_message("pending")
    try:
        answer = office.get("/health/notifications").json()
        assert (answer["status"], answer["sms_provider"]["stopped_because"]) == ("healthy", "")
        assert answer["ms"] < 2000
    finally:
        release.set()
        assert sender.pool().drain(10)


def test_unreachable_provider_is_unhealthy(office: Client, settings: Settings) -> None:
    settings.SMS_GATEWAY, settings.SMS_PROVIDER_URL = "http", f"http://127.0.0.1:{free_port()}/send"
    answer = office.get("/health/notifications")
    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")
    assert answer.json()["sms_provider"]["reachable"] is False


def test_own_figures_are_reported_while_the_provider_hangs(
    office: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    settings.SMS_GATEWAY, settings.SMS_PROVIDER_URL, settings.SMS_API_KEY = "http", f"{sandbox.url}/sms", "sandbox-key"
    monkeypatch.setattr(parts.provider_probe("http"), "seconds", 0.3)
    make_message("pending", created_at=timezone.now() - timedelta(minutes=10))
    sandbox.operator.faults.set(SandboxFault(FaultKind.HANG, on=On.ASK))
    answer = office.get("/health/notifications")
    assert (answer.status_code, 300 <= answer.json()["ms"] < 2000) == (503, True)
    assert answer.json()["sms_provider"]["detail"] == "no response within 0.3 s"
    assert answer.json()["oldest_pending_seconds"] > 590
    sandbox.operator.faults.set(None)


def test_unknown_code_of_provider_degrades(office: Client, settings: Settings) -> None:
    settings.SMS_GATEWAY = "memory"
    GatewayState.objects.create(gateway="memory").mark_doubtful("-77: maintenance")
    answer = office.get("/health/notifications")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["sms_provider"]["not_understood"] == "-77: maintenance"


def test_stopped_provider_is_reported_with_its_reason(office: Client, settings: Settings) -> None:
    make = GatewayState.objects.create
    make(
        gateway="memory", stopped_at=timezone.now(), stopped_because="k: not registered", last_receipt_at=timezone.now()
    )
    settings.SMS_GATEWAY = "memory"
    answer = office.get("/health/notifications")
    assert (answer.status_code, answer.json()["sms_provider"]["stopped_because"]) == (503, "k: not registered")
    assert answer.json()["last_receipt_at"] == answer.json()["sms_provider"]["last_receipt_at"] is not None
    settings.SMS_FALLBACK_GATEWAY = "console"
    answer = office.get("/health/notifications")
    assert (answer.json()["status"], answer.json()["sms_fallback"]["name"]) == ("degraded", "console")


def test_balance_is_queried_again_only_after_five_minutes(
    office: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries: list[Mitake] = []

    def balance(self: Mitake) -> Decimal:
        queries.append(self)
        return Decimal(110)

    monkeypatch.setattr(Mitake, "balance", balance)
    settings.SMS_GATEWAY = "mitake"
    for _ in range(3):
        assert office.get("/health/notifications").json()["balance"] == 110
    assert len(queries) == 1
    long_ago = timezone.now() - timedelta(minutes=6)
    parts.provider_cache.clear()
    # The new balance also starts the gateway that was stopped without credit.
    GatewayState.objects.update(balance_at=long_ago, balance=9, stopped_at=long_ago, stopped_because="no credit")
    assert office.get("/health/notifications").json()["sms_provider"]["stopped_because"] == ""
    assert len(queries) == 2
