"""The SMS providers (SMS_GATEWAYS), and the choice of one for a message.

SMS_GATEWAY comes first. SMS_FALLBACK_GATEWAY takes messages that the first one certainly did not send.
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
from notifications.states import MessageType, Reason
from web import flags

log = logging.getLogger(__name__)


def get_gateway(name: str = "") -> Gateway:
    """Returns a gateway by its name in SMS_GATEWAYS, by default SMS_GATEWAY. Raises KeyError."""
    return _build(name or settings.SMS_GATEWAY)


@cache
def _build(name: str) -> Gateway:
    gateway: Gateway = import_string(settings.SMS_GATEWAYS[name])()
    gateway.name, gateway.callback_url = name, callback_url(name)
    gateway.secrets += (settings.SMS_CALLBACK_SECRET,)
    return gateway


def callback_url(name: str) -> str:
    """Returns the URL for this provider's receipts; empty if callbacks are not configured."""
    if not (settings.SMS_CALLBACK_BASE_URL and settings.SMS_CALLBACK_SECRET):
        return ""
    path = reverse("notification-callback", args=[name, settings.SMS_CALLBACK_SECRET])
    return f"{settings.SMS_CALLBACK_BASE_URL.rstrip('/')}{path}"


def drop_gateways(**kwargs: Any) -> None:
    """Receiver of `setting_changed`: drops gateways that were built from old settings."""
    _build.cache_clear()


def gateways_for(row: NotificationHistory) -> list[Gateway]:
    """Returns the gateways that may send this message, in order. Empty if SMS is switched off or all are stopped."""
    if not flags.is_on(flags.SMS):
        return []
    if row.type == MessageType.EMAIL:
        return [] if stopped_names([Email.name]) else [Email()]
    # If the message may have gone out, only the same provider can recognise it as a repeat.
    names = [row.gateway] if row.attempts else names_in_use()
    closed = stopped_names(names)
    return [get_gateway(name) for name in names if name not in closed]


def stopped_names(names: Collection[str]) -> set[str]:
    """Returns which of these gateways are stopped."""
    found = GatewayState.objects.filter(gateway__in=names, stopped_at__isnull=False)
    return set(found.values_list("gateway", flat=True))


def names_in_use() -> list[str]:
    """Returns the names of the gateway and its fallback, if there is one."""
    return list(dict.fromkeys(filter(None, [settings.SMS_GATEWAY, settings.SMS_FALLBACK_GATEWAY])))


def is_repeatable(row: NotificationHistory) -> bool:
    """Whether a retry is safe: the provider that may have the message still recognises its id."""
    if row.gateway not in names_in_use():
        return False
    return get_gateway(row.gateway).is_repeatable(row.first_sent_at())


def record_failure(gateway: Gateway, reason: str, error_text: str) -> None:
    """Stops the gateway if `reason` is in STOPPING. Records an unknown code. Does nothing for any other reason."""
    if reason in STOPPING:
        stop(gateway, error_text, reason)
    elif reason == Reason.UNKNOWN_CODE and GatewayState.of(gateway.name).mark_doubtful(error_text):
        log.error("The gateway %s answers with an unknown code; its messages wait: %s", gateway.name, error_text)


def stop(gateway: Gateway, because: str, reason: str = Reason.CHANNEL_STOPPED) -> None:
    """Stops the gateway. Until it is started again, its messages use the fallback or wait."""
    if GatewayState.of(gateway.name).stop(because, no_credit=reason == Reason.NO_CREDIT):
        log.error("The gateway %s is stopped: %s", gateway.name, because)
