"""The providers. SMS_GATEWAY is in use, SMS_FALLBACK_GATEWAY stands in for it; SMS_GATEWAYS says where each lives."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.module_loading import import_string

from notifications.gateways.base import Gateway


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
