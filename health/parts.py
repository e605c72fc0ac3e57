"""The health checks of the parts: database, migrations, Redis, WebSockets, messages."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Q
from django.utils import timezone

from health.probes import Answer, HealthStatus, Probe, run_all, worst
from notifications import gateways, receipts, sender
from notifications.gateways import base as provider
from notifications.gateways import get_gateway
from notifications.gateways.base import Gateway
from notifications.models import GatewayState, NotificationHistory
from notifications.states import GOOD_NEWS, MessageStatus, MessageType
from notifications.statistics import oldest_due
from realtime import log, statistics
from realtime.hub import Hub
from web import flags

# The permission (`accounts.roles`) to read health and figures.
SEE_HEALTH = "web.view_systemmetric"
# If a message that is due waits longer than this, no process sends messages, or the provider accepts none.
MAX_PENDING = timedelta(minutes=5)
# The maximum age of the stored balance. A provider may limit queries, and monitors call the health check every few
# seconds.
BALANCE_AGE = timedelta(minutes=5)
REDIS_SECONDS = 0.5
# The time limit of one provider. It is shorter than that of the whole part, so that a slow provider does not hide our
# own figures of messages.
PROVIDER_SECONDS = 3.0
# A hub reads the log every second. If the last read is longer ago than this, the hub is stuck waiting for its database.
MAX_LOOK_SECONDS = 5.0
# A change gets its event id within a second, or within three if the process that assigns ids froze. If a change waits
# longer than this, no process assigns ids.
MAX_ID_WAIT_SECONDS = 5.0
# How long to wait for the oldest change to get its id, and how often to check it. A working process assigns some
# hundred ids in RECHECK_SECONDS.
RECHECK_SECONDS, POLL_SECONDS = 1.0, 0.1
# How long the answer of a provider is cached.
PROVIDER_CACHE_SECONDS = 10.0
provider_cache: dict[str, tuple[provider.GatewayHealth, float]] = {}


def check_database() -> Answer:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return {"status": HealthStatus.HEALTHY, "vendor": connection.vendor}


@cache
def all_applied() -> bool:
    """Returns True if all migrations are applied, and caches that. Raises LookupError while migrations are missing."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise LookupError
    return True


def check_migrations() -> Answer:
    try:
        all_applied()
    except LookupError:
        return {"status": HealthStatus.UNHEALTHY, "detail": "not all migrations are applied; run manage.py migrate"}
    return {"status": HealthStatus.HEALTHY}


@cache
def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)


def check_redis() -> Answer:
    """DEGRADED if Redis does not answer: screens still get every change, at most a second later."""
    if not settings.REDIS_URL:
        return {"status": HealthStatus.HEALTHY, "configured": False}
    try:
        _redis(settings.REDIS_URL).ping()
    except (redis.RedisError, ValueError) as error:  # ValueError: REDIS_URL is invalid (luckygas.E018)
        return {"status": HealthStatus.DEGRADED, "configured": True, "detail": type(error).__name__}
    return {"status": HealthStatus.HEALTHY, "configured": True}


def check_websocket() -> Answer:
    """Checks Redis, the hub of this process, and that changes get event ids. Returns the figures of all processes, too.

    Redis may answer pings while its messages do not arrive. The hub notices that by the bells that it missed.
    """
    redis_answer, figures = check_redis(), statistics.summary()
    # While no server runs, no screen waits for the changes. The next hub that starts assigns their ids.
    waited = seconds_without_id() if figures["servers"] else 0.0
    is_stuck = any(hub.pulse.seconds_since_round > MAX_LOOK_SECONDS for hub in Hub.instances())
    misses_bells = bool(settings.REDIS_URL) and any(hub.pulse.misses_bells for hub in Hub.instances())
    redis_health = HealthStatus.DEGRADED if misses_bells else HealthStatus(redis_answer["status"])
    return {
        "status": HealthStatus.UNHEALTHY if is_stuck or waited else redis_health,
        "redis": redis_answer["status"], "hub_stuck": is_stuck, "bells_are_missed": misses_bells,
        "waiting_seconds": round(waited, 1), **figures,
    }  # fmt: skip


def seconds_without_id() -> float:
    """Returns how long the oldest change has waited for its event id. Returns 0.0 if a process assigns ids.

    The changes of a long import are already old when it commits. So an old change is checked again for
    RECHECK_SECONDS: if another one is the oldest then, a process assigns ids.
    """
    oldest = log.oldest_waiting_time()
    if oldest is None or _age(oldest) + RECHECK_SECONDS <= MAX_ID_WAIT_SECONDS:
        return 0.0
    until, changed = time.monotonic() + RECHECK_SECONDS, False
    while not changed and (left := until - time.monotonic()) > 0:
        time.sleep(min(POLL_SECONDS, left))
        changed = log.oldest_waiting_time() != oldest
    waited = _age(oldest)
    return 0.0 if changed or waited <= MAX_ID_WAIT_SECONDS else waited


def _age(moment: datetime) -> float:
    return (timezone.now() - moment).total_seconds()


def check_notifications() -> Answer:
    now = timezone.now()
    started = {name: provider_probe(name).begin() for name in gateways.names_in_use()}
    counts = count_messages(now)
    providers = [{"name": name} | wait_for_answer() for name, wait_for_answer in started.items()]
    oldest = counts.pop("oldest_pending")
    waiting = (now - oldest) if oldest else timedelta()
    finished = counts.pop("good") + counts["bad"]
    switched_on = flags.is_on(flags.SMS)
    late = HealthStatus.DEGRADED if waiting > MAX_PENDING or not switched_on else HealthStatus.HEALTHY
    states = {answer["status"] for answer in providers}
    # While one of the providers works, messages are still sent.
    unwell = HealthStatus.UNHEALTHY if states == {HealthStatus.UNHEALTHY} else HealthStatus.DEGRADED
    receipts = [answer["last_receipt_at"] for answer in providers if answer.get("last_receipt_at")]
    return {
        "status": late if states == {HealthStatus.HEALTHY} else unwell,
        "switched_on": switched_on,
        "sms_provider": providers[0],
        "sms_fallback": providers[1] if len(providers) > 1 else None,
        "balance": providers[0].get("balance"),
        "last_receipt_at": max(receipts, default=None),
        "success_rate_24h": round(1 - counts.pop("bad") / finished, 4) if finished else None,
        "oldest_pending_seconds": round(waiting.total_seconds(), 1),
        **counts,
    }


@cache
def provider_probe(name: str) -> Probe:
    """Returns the provider's probe. Each provider has its own thread, so a hanging one does not delay the others."""
    return Probe(partial(_check_provider, name), PROVIDER_SECONDS)


def _check_provider(name: str) -> Answer:
    """Checks one provider. Returns its status, whether it can be reached, its balance, and its last receipt.

    Also returns why the gateway was stopped, and the unknown code that the provider answered with, if any. If the
    stored balance is younger than BALANCE_AGE, the provider is not queried and counts as reachable.
    """
    gateway, now = get_gateway(name), timezone.now()
    state = GatewayState.objects.filter(gateway=name).first() or GatewayState(gateway=name)
    health = provider.GatewayHealth(reachable=True, balance=state.balance)
    if state.balance_at is None or now - state.balance_at > BALANCE_AGE:
        health = _cached_health(gateway)
        if health.balance is not None:
            # New credit may start the gateway and send messages; the health check does not wait for them.
            with sender.no_waiting():
                state = receipts.record_balance(gateway, health.balance)
    not_understood = state.doubted_because if state.is_doubtful else ""
    doubtful = HealthStatus.DEGRADED if not_understood else HealthStatus.HEALTHY
    return {
        "status": doubtful if health.reachable and not state.stopped_because else HealthStatus.UNHEALTHY,
        "reachable": health.reachable, "detail": health.detail, "balance": health.balance,
        "stopped_because": state.stopped_because, "not_understood": not_understood,
        "last_receipt_at": state.last_receipt_at,
    }  # fmt: skip


def _cached_health(gateway: Gateway) -> provider.GatewayHealth:
    """Returns the provider's answer, cached so that frequent health checks do not query the provider each time."""
    health, at = provider_cache.get(gateway.name, (None, 0.0))
    if health is None or time.monotonic() - at > PROVIDER_CACHE_SECONDS:
        health = gateway.health()
        provider_cache[gateway.name] = health, time.monotonic()
    return health


def count_messages(now: datetime) -> dict[str, Any]:
    """Counts messages in one query: sent and failed today, waiting, unknown, and the outcomes of the last 24 hours.

    `oldest_pending` is the time since when the oldest message that is due has waited, or None.
    """
    today = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    good, bad = Q(status__in=GOOD_NEWS), Q(status=MessageStatus.FAILED)
    last_day = Q(created_at__gte=now - timedelta(hours=24))
    # Restricts the query to rows that an index finds, because the history grows for years.
    recent = Q(created_at__gte=now - timedelta(hours=24)) | Q(type__in=MessageType.values, sent_at__gte=today)
    rows = NotificationHistory.objects.filter(recent | Q(status__in=[MessageStatus.PENDING, MessageStatus.UNKNOWN]))
    return rows.aggregate(
        notifications_sent_today=Count("pk", filter=good & Q(sent_at__gte=today)),
        notifications_failed_today=Count("pk", filter=bad & Q(created_at__gte=today)),
        pending=Count("pk", filter=Q(status=MessageStatus.PENDING)),
        unknown=Count("pk", filter=Q(status=MessageStatus.UNKNOWN)),
        good=Count("pk", filter=good & last_day),
        bad=Count("pk", filter=(bad | Q(status=MessageStatus.UNKNOWN)) & last_day),
        oldest_pending=oldest_due(now),
    )


# Each part with its time limit in seconds. “notifications” has the longest, because providers are remote.
PARTS: dict[str, Probe] = {
    "database": Probe(check_database, 1.0),
    "migrations": Probe(check_migrations, 2.0),
    "redis": Probe(check_redis, 1.0, on_timeout=HealthStatus.DEGRADED),
    "websocket": Probe(check_websocket, 2.0),
    "notifications": Probe(check_notifications, 4.0),
}
NEEDED = ("database", "migrations", "redis")


def check_readiness() -> Answer:
    """Checks the parts that requests need: unhealthy without the database or a migration, degraded without Redis."""
    return _check_all({name: PARTS[name] for name in NEEDED})


def check_all_parts() -> Answer:
    return _check_all(PARTS)


def _check_all(probes: dict[str, Probe]) -> Answer:
    answers = run_all(probes)
    return {"status": worst(list(answers.values()))} | answers
