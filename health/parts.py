"""The parts of the system, each with its question."""

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

from health.probes import Answer, Health, Probe, ask_all, worst
from notifications import gateways, receipts, sender
from notifications.gateways import base as provider
from notifications.gateways import get_gateway
from notifications.gateways.base import Gateway
from notifications.models import GatewayState, NotificationHistory
from notifications.states import GOOD_NEWS, Status, Type
from notifications.statistics import oldest_due
from realtime import log, statistics
from realtime.hub import Hub
from web import flags

# The right (`accounts.roles`) to what is known of how the system runs.
SEE_HEALTH = "web.view_systemmetric"
# A message that waits longer than this has nobody who sends it.
LONGEST_PENDING = timedelta(minutes=5)
# A provider may count each question; a monitor asks each few seconds.
BALANCE_AGE = timedelta(minutes=5)
REDIS_SECONDS = 0.5
# A provider may think long; what our own rows say of the messages is told meanwhile.
PROVIDER_SECONDS = 3.0
# A hub looks at the log each second; one that has not for so long waits for its database.
LONGEST_LOOK_SECONDS = 5.0
# A change has its number within a second, or three where who was to give it one froze; after this long nobody does.
LONGEST_WAIT_SECONDS = 5.0
# In which a numberer that works has numbered some hundred changes, and how often it is looked whether it has.
LOOK_AGAIN_SECONDS = 1.0
LOOK_SECONDS = 0.1
# How long it is believed what a provider said of itself.
HEARD_SECONDS = 10.0
heard: dict[str, tuple[provider.Health, float]] = {}


def ask_database() -> Answer:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return {"status": Health.HEALTHY, "vendor": connection.vendor}


@cache
def all_applied() -> bool:
    """Raises LookupError while migrations are missing, and asks no more once there are none."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise LookupError
    return True


def ask_migrations() -> Answer:
    try:
        all_applied()
    except LookupError:
        return {"status": Health.UNHEALTHY, "detail": "not all migrations are applied; run manage.py migrate"}
    return {"status": Health.HEALTHY}


@cache
def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)


def ask_redis() -> Answer:
    """Without Redis screens still learn everything, a second later at most: so it degrades and breaks nothing."""
    if not settings.REDIS_URL:
        return {"status": Health.HEALTHY, "configured": False}
    try:
        _redis(settings.REDIS_URL).ping()
    except (redis.RedisError, ValueError) as error:  # ValueError: REDIS_URL is none (luckygas.E018)
        return {"status": Health.DEGRADED, "configured": True, "detail": type(error).__name__}
    return {"status": Health.HEALTHY, "configured": True}


def ask_websocket() -> Answer:
    """The figures are of all processes; whether the hub still looks and hears the bell, of this one.

    A link to Redis that is up and brings nothing shows in the bells that were missed, whoever answers a ping.
    """
    link, figures = ask_redis(), statistics.summary()
    # Without a socket nobody need be told, and the next hub to begin numbers what waits.
    waited = unnumbered_seconds() if figures["servers"] else 0.0
    is_stuck = any(hub.pulse.seconds_since_look > LONGEST_LOOK_SECONDS for hub in Hub.running())
    deaf = bool(settings.REDIS_URL) and any(hub.pulse.is_deaf for hub in Hub.running())
    heard = Health.DEGRADED if deaf else Health(link["status"])
    return {
        "status": Health.UNHEALTHY if is_stuck or waited else heard,
        "redis": link["status"], "hub_stuck": is_stuck, "bells_are_missed": deaf,
        "waiting_seconds": round(waited, 1), **figures,
    }  # fmt: skip


def unnumbered_seconds() -> float:
    """How long the oldest change has waited for its number where nobody gives numbers; 0.0 where all is well.

    What a long import commits is that old already: then another is the oldest when one looks again.
    """
    oldest = log.oldest_waiting()
    if oldest is None or _age(oldest) + LOOK_AGAIN_SECONDS <= LONGEST_WAIT_SECONDS:
        return 0.0
    until, changed = time.monotonic() + LOOK_AGAIN_SECONDS, False
    while not changed and (left := until - time.monotonic()) > 0:
        time.sleep(min(LOOK_SECONDS, left))
        changed = log.oldest_waiting() != oldest
    waited = _age(oldest)
    return 0.0 if changed or waited <= LONGEST_WAIT_SECONDS else waited


def _age(moment: datetime) -> float:
    return (timezone.now() - moment).total_seconds()


def ask_notifications() -> Answer:
    now = timezone.now()
    asked = {name: provider_probe(name).begin() for name in gateways.in_use()}
    counts = count_messages(now)
    providers = [{"name": name} | answer() for name, answer in asked.items()]
    oldest = counts.pop("oldest_pending")
    waiting = (now - oldest) if oldest else timedelta()
    known = counts.pop("good") + counts["bad"]
    switched_on = flags.on(flags.SMS)
    late = Health.DEGRADED if waiting > LONGEST_PENDING or not switched_on else Health.HEALTHY
    states = {answer["status"] for answer in providers}
    # While one of the providers sends, messages still go out.
    unwell = Health.UNHEALTHY if states == {Health.UNHEALTHY} else Health.DEGRADED
    receipts = [answer["last_receipt_at"] for answer in providers if answer.get("last_receipt_at")]
    return {
        "status": late if states == {Health.HEALTHY} else unwell,
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
    """Each is asked on a thread of its own, so that one that hangs hides nothing but itself."""
    return Probe(partial(_ask_provider, name), PROVIDER_SECONDS)


def _ask_provider(name: str) -> Answer:
    """Whether it can be reached, whether it is stopped and why, and its balance, which is asked every five minutes."""
    gateway, now = get_gateway(name), timezone.now()
    state = GatewayState.objects.filter(gateway=name).first() or GatewayState(gateway=name)
    said = provider.Health(reachable=True, balance=state.balance)
    if state.balance_at is None or now - state.balance_at > BALANCE_AGE:
        said = _heard_of(gateway)
        if said.balance is not None:
            # New credit may start it: nobody waits here for what then goes out.
            with sender.no_waiting():
                state = receipts.keep_balance(gateway, said.balance)
    not_understood = state.doubted_because if state.is_doubtful else ""
    doubtful = Health.DEGRADED if not_understood else Health.HEALTHY
    return {
        "status": doubtful if said.reachable and not state.stopped_because else Health.UNHEALTHY,
        "reachable": said.reachable, "detail": said.detail, "balance": said.balance,
        "stopped_because": state.stopped_because, "not_understood": not_understood,
        "last_receipt_at": state.last_receipt_at,
    }  # fmt: skip


def _heard_of(gateway: Gateway) -> provider.Health:
    """What it said of late: a page that looks each second is no reason to ask the provider each second."""
    said, at = heard.get(gateway.name, (None, 0.0))
    if said is None or time.monotonic() - at > HEARD_SECONDS:
        said = gateway.health()
        heard[gateway.name] = said, time.monotonic()
    return said


def count_messages(now: datetime) -> dict[str, Any]:
    """One query: what was sent and failed today, what waits, and the last 24 hours."""
    today = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    good, bad = Q(status__in=GOOD_NEWS), Q(status=Status.FAILED)
    lately = Q(created_at__gte=now - timedelta(hours=24))
    # Nothing else counts, and each of these has an index: the history grows for years.
    recent = Q(created_at__gte=now - timedelta(hours=24)) | Q(type__in=Type.values, sent_at__gte=today)
    counted = NotificationHistory.objects.filter(recent | Q(status__in=[Status.PENDING, Status.UNKNOWN]))
    return counted.aggregate(
        notifications_sent_today=Count("pk", filter=good & Q(sent_at__gte=today)),
        notifications_failed_today=Count("pk", filter=bad & Q(created_at__gte=today)),
        pending=Count("pk", filter=Q(status=Status.PENDING)),
        unknown=Count("pk", filter=Q(status=Status.UNKNOWN)),
        good=Count("pk", filter=good & lately),
        bad=Count("pk", filter=(bad | Q(status=Status.UNKNOWN)) & lately),
        oldest_pending=oldest_due(now),
    )


# Seconds each may take. The provider is in another house; the others are next door.
PARTS: dict[str, Probe] = {
    "database": Probe(ask_database, 1.0),
    "migrations": Probe(ask_migrations, 2.0),
    "redis": Probe(ask_redis, 1.0, silent=Health.DEGRADED),
    "websocket": Probe(ask_websocket, 2.0),
    "notifications": Probe(ask_notifications, 4.0),
}
NEEDED = ("database", "migrations", "redis")


def ready() -> Answer:
    """Whether requests can be served: the database decides, Redis only degrades."""
    return _whole({name: PARTS[name] for name in NEEDED})


def summary() -> Answer:
    return _whole(PARTS)


def _whole(probes: dict[str, Probe]) -> Answer:
    answers = ask_all(probes)
    return {"status": worst(list(answers.values()))} | answers
