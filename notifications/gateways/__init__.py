"""The providers: where each lives (SMS_GATEWAYS), and by which one a message goes.

SMS_GATEWAY is in use, SMS_FALLBACK_GATEWAY stands in for it, for what certainly was not sent.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import cache
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.module_loading import import_string

from notifications.gateways.base import STOPPING, Gateway
from notifications.gateways.email import Email
from notifications.models import GatewayState, NotificationHistory
from notifications.states import Reason, Type
from web import flags

log = logging.getLogger(__name__)


def get_gateway(name: str = "") -> Gateway:
    """A gateway by its name in SMS_GATEWAYS, or the one in use; made when first needed. Raises KeyError."""
    return _made(name or settings.SMS_GATEWAY)


@cache
def _made(name: str) -> Gateway:
    gateway: Gateway = import_string(settings.SMS_GATEWAYS[name])()
    gateway.name, gateway.callback_url = name, callback_url(name)
    gateway.secrets += (settings.SMS_CALLBACK_SECRET,)
    return gateway


def callback_url(name: str) -> str:
    """Where this provider is to send its receipts; empty: it is not told to."""
    if not (settings.SMS_CALLBACK_BASE_URL and settings.SMS_CALLBACK_SECRET):
        return ""
    path = reverse("notification-callback", args=[name, settings.SMS_CALLBACK_SECRET])
    return f"{settings.SMS_CALLBACK_BASE_URL.rstrip('/')}{path}"


def forget(**kwargs: Any) -> None:
    """Receiver of `setting_changed`: the next message gets a gateway made from the new settings."""
    _made.cache_clear()


def ways(row: NotificationHistory) -> list[Gateway]:
    """The gateways open to a message, in their order; none: they are stopped or all is switched off, and it waits."""
    if not flags.on(flags.SMS):
        return []
    if row.type == Type.EMAIL:
        return [] if stopped([Email.name]) else [Email()]
    # What may have gone out before: only who may have it can tell it from a second one.
    names = [row.gateway] if row.attempts else in_use()
    closed = stopped(names)
    return [get_gateway(name) for name in names if name not in closed]


def stopped(names: Collection[str]) -> set[str]:
    """Those of these gateways by which no message goes."""
    found = GatewayState.objects.filter(gateway__in=names, stopped_at__isnull=False)
    return set(found.values_list("gateway", flat=True))


def in_use() -> list[str]:
    """The gateway and its stand-in, if it has one."""
    return list(dict.fromkeys(filter(None, [settings.SMS_GATEWAY, settings.SMS_FALLBACK_GATEWAY])))


def repeatable(row: NotificationHistory) -> bool:
    """Whether the provider that may have it still sends it only once under the same id."""
    if row.gateway not in in_use():
        return False
    return get_gateway(row.gateway).repeatable(row.first_sent_at())


def note(gateway: Gateway, reason: str, said: str) -> None:
    """What the outcome of one message says of the channel: it may have to stop, or somebody may have to look at it."""
    if reason in STOPPING:
        stop(gateway, said, reason)
    elif reason == Reason.UNKNOWN_CODE and GatewayState.of(gateway.name).doubt(said):
        log.error("The gateway %s answers what is not understood; its messages wait: %s", gateway.name, said)


def stop(gateway: Gateway, because: str, reason: str = Reason.CHANNEL_STOPPED) -> None:
    """No further message goes by it until it is started again."""
    if GatewayState.of(gateway.name).stop(because, is_poor=reason == Reason.NO_CREDIT):
        log.error("The gateway %s is stopped: %s", gateway.name, because)
