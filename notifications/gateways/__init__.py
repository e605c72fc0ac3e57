"""The providers. One is in use: SMS_GATEWAY names it, SMS_GATEWAYS says where it lives."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from notifications.gateways.base import Gateway


@cache
def get_gateway() -> Gateway:
    """The gateway in use, made when first needed."""
    gateway: Gateway = import_string(settings.SMS_GATEWAYS[settings.SMS_GATEWAY])()
    gateway.name = settings.SMS_GATEWAY
    return gateway


def forget(setting: str, **kwargs: Any) -> None:
    """Receiver of `setting_changed`: the next message gets a gateway made from the new settings."""
    if setting.startswith("SMS_"):
        get_gateway.cache_clear()
