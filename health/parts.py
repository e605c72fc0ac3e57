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

from health.probes import Answer, HealthStatus, Probe, ask_all, worst
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
# If a message waits longer, no process sends.
LONGEST_PENDING = timedelta(minutes=5)
# A provider may limit queries, and monitors ask every few seconds.
BALANCE_AGE = timedelta(minutes=5)
REDIS_SECONDS = 0.5
# A slow provider must not hide our own figures of messages.
PROVIDER_SECONDS = 3.0
# A hub reads the log every second. If it has not for so long, it is stuck waiting for its database.
LONGEST_LOOK_SECONDS = 5.0
# A change gets its number within a second, or three if the numbering process froze. After this, no process numbers.
LONGEST_WAIT_SECONDS = 5.0
# In this time a working process numbers some hundred changes; and how often to check whether it has.
RECHECK_SECONDS = 1.0
POLL_SECONDS = 0.1
# How long the answer of a provider is cached.
PROVIDER_CACHE_SECONDS = 10.0
provider_cache: dict[str, tuple[provider.GatewayHealth, float]] = {}


def ask_database() -> Answer:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return {"status": HealthStatus.HEALTHY, "vendor": connection.vendor}


@cache
def all_applied() -> bool:
    """Raises LookupError while migrations are missing. Cached once all are applied."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise LookupError
    return True


def ask_migrations() -> Answer:
    try:
        all_applied()
    except LookupError:
        return {"status": HealthStatus.UNHEALTHY, "detail": "not all migrations are applied; run manage.py migrate"}
    return {"status": HealthStatus.HEALTHY}


@cache
def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)


def ask_redis() -> Answer:
    """DEGRADED without Redis: screens still get every change, at most a second later."""
    if not settings.REDIS_URL:
        return {"status": HealthStatus.HEALTHY, "configured": False}
    try:
        _redis(settings.REDIS_URL).ping()
    except (redis.RedisError, ValueError) as error:  # ValueError: REDIS_URL is invalid (luckygas.E018)
        return {"status": HealthStatus.DEGRADED, "configured": True, "detail": type(error).__name__}
    return {"status": HealthStatus.HEALTHY, "configured": True}


def ask_websocket() -> Answer:
    """Checks the hub of this process and returns the figures of all processes.

    Redis may answer pings while its messages do not arrive; the missed bells show that.
    """
    link, figures = ask_redis(), statistics.summary()
    # Without a server nobody needs the changes; the next hub to start numbers them.
    waited = unnumbered_seconds() if figures["servers"] else 0.0
    is_stuck = any(hub.pulse.seconds_since_round > LONGEST_LOOK_SECONDS for hub in Hub.instances())
    deaf = bool(settings.REDIS_URL) and any(hub.pulse.misses_bells for hub in Hub.instances())
    redis_health = HealthStatus.DEGRADED if deaf else HealthStatus(link["status"])
    return {
        "status": HealthStatus.UNHEALTHY if is_stuck or waited else redis_health,
        "redis": link["status"], "hub_stuck": is_stuck, "bells_are_missed": deaf,
        "waiting_seconds": round(waited, 1), **figures,
    }  # fmt: skip


def unnumbered_seconds() -> float:
    """Returns how long the oldest change has waited for a number if no process gives numbers; else 0.0.

    Changes of a long import are old when it commits. So it checks again whether the oldest one is still the same.
    """
    oldest = log.oldest_waiting_time()
    if oldest is None or _age(oldest) + RECHECK_SECONDS <= LONGEST_WAIT_SECONDS:
        return 0.0
    until, changed = time.monotonic() + RECHECK_SECONDS, False
    while not changed and (left := until - time.monotonic()) > 0:
        time.sleep(min(POLL_SECONDS, left))
        changed = log.oldest_waiting_time() != oldest
    waited = _age(oldest)
    return 0.0 if changed or waited <= LONGEST_WAIT_SECONDS else waited


def _age(moment: datetime) -> float:
    return (timezone.now() - moment).total_seconds()


def ask_notifications() -> Answer:
    now = timezone.now()
    asked = {name: provider_probe(name).begin() for name in gateways.names_in_use()}
    counts = count_messages(now)
    providers = [{"name": name} | answer() for name, answer in asked.items()]
    oldest = counts.pop("oldest_pending")
    waiting = (now - oldest) if oldest else timedelta()
    known = counts.pop("good") + counts["bad"]
    switched_on = flags.on(flags.SMS)
    late = HealthStatus.DEGRADED if waiting > LONGEST_PENDING or not switched_on else HealthStatus.HEALTHY
    states = {answer["status"] for answer in providers}
    # Messages still go out while one of the providers works.
    unwell = HealthStatus.UNHEALTHY if states == {HealthStatus.UNHEALTHY} else HealthStatus.DEGRADED
    receipts = [answer["last_receipt_at"] for answer in providers if answer.get("last_receipt_at")]
    return {
        "status": late if states == {HealthStatus.HEALTHY} else unwell,
        "switched_on": switched_on,
        "sms_provider": providers[0],
        "sms_fallback": providers[1] if len(providers) > 1 else None,
        "balance": providers[0].get("balance"),
        "last_receipt_at": max(receipts, default=None),
        "success_rate_24h": round(1 - counts.pop("bad") / known, 4) if known else None,
        "oldest_pending_seconds": round(waiting.total_seconds(), 1),
        **counts,
    }


@cache
def provider_probe(name: str) -> Probe:
    """Returns the provider's own probe and thread, so that a hanging provider hides only itself."""
    return Probe(partial(_ask_provider, name), PROVIDER_SECONDS)


def _ask_provider(name: str) -> Answer:
    """Returns whether the provider can be reached, whether and why it is stopped, and its balance (BALANCE_AGE)."""
    gateway, now = get_gateway(name), timezone.now()
    state = GatewayState.objects.filter(gateway=name).first() or GatewayState(gateway=name)
    said = provider.GatewayHealth(reachable=True, balance=state.balance)
    if state.balance_at is None or now - state.balance_at > BALANCE_AGE:
        said = _cached_health(gateway)
        if said.balance is not None:
            # New credit may start the gateway and send messages; the health check does not wait for them.
            with sender.no_waiting():
                state = receipts.record_balance(gateway, said.balance)
    not_understood = state.doubted_because if state.is_doubtful else ""
    doubtful = HealthStatus.DEGRADED if not_understood else HealthStatus.HEALTHY
    return {
        "status": doubtful if said.reachable and not state.stopped_because else HealthStatus.UNHEALTHY,
        "reachable": said.reachable, "detail": said.detail, "balance": said.balance,
        "stopped_because": state.stopped_because, "not_understood": not_understood,
        "last_receipt_at": state.last_receipt_at,
    }  # fmt: skip


def _cached_health(gateway: Gateway) -> provider.GatewayHealth:
    """Returns the provider's answer, cached so that frequent health checks do not reach the provider."""
    said, at = provider_cache.get(gateway.name, (None, 0.0))
    if said is None or time.monotonic() - at > PROVIDER_CACHE_SECONDS:
        said = gateway.health()
        provider_cache[gateway.name] = said, time.monotonic()
    return said


def count_messages(now: datetime) -> dict[str, Any]:
    """Counts messages in one query: sent and failed today, waiting, and the outcomes of the last 24 hours."""
    today = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    good, bad = Q(status__in=GOOD_NEWS), Q(status=MessageStatus.FAILED)
    lately = Q(created_at__gte=now - timedelta(hours=24))
    # Restricts the query to rows that an index finds, because the history grows for years.
    recent = Q(created_at__gte=now - timedelta(hours=24)) | Q(type__in=MessageType.values, sent_at__gte=today)
    counted = NotificationHistory.objects.filter(recent | Q(status__in=[MessageStatus.PENDING, MessageStatus.UNKNOWN]))
    return counted.aggregate(
        notifications_sent_today=Count("pk", filter=good & Q(sent_at__gte=today)),
        notifications_failed_today=Count("pk", filter=bad & Q(created_at__gte=today)),
        pending=Count("pk", filter=Q(status=MessageStatus.PENDING)),
        unknown=Count("pk", filter=Q(status=MessageStatus.UNKNOWN)),
        good=Count("pk", filter=good & lately),
        bad=Count("pk", filter=(bad | Q(status=MessageStatus.UNKNOWN)) & lately),
        oldest_pending=oldest_due(now),
    )


# Each part with its time limit in seconds. Providers are remote, so they get the most.
PARTS: dict[str, Probe] = {
    "database": Probe(ask_database, 1.0),
    "migrations": Probe(ask_migrations, 2.0),
    "redis": Probe(ask_redis, 1.0, silent=HealthStatus.DEGRADED),
    "websocket": Probe(ask_websocket, 2.0),
    "notifications": Probe(ask_notifications, 4.0),
}
NEEDED = ("database", "migrations", "redis")


def ready() -> Answer:
    """Whether requests can be served. A missing database is unhealthy, a missing Redis only degraded."""
    return _whole({name: PARTS[name] for name in NEEDED})


def summary() -> Answer:
    return _whole(PARTS)


def _whole(probes: dict[str, Probe]) -> Answer:
    answers = ask_all(probes)
    return {"status": worst(list(answers.values()))} | answers
