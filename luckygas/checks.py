"""Wrong settings, said at start and not at the first SMS: each with an id and a hint."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register()
def settings_are_sound(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E001 an unknown gateway; E002 `http` without its URL; W001 a host pattern that turns the Origin check off."""
    found: list[CheckMessage] = []
    if settings.SMS_GATEWAY not in settings.SMS_GATEWAYS:
        known = ", ".join(settings.SMS_GATEWAYS)
        found.append(
            Error(f"SMS_GATEWAY is {settings.SMS_GATEWAY!r}.", hint=f"Use one of: {known}.", id="luckygas.E001")
        )
    if settings.SMS_GATEWAY == "http" and not settings.SMS_PROVIDER_URL:
        found.append(Error("SMS_PROVIDER_URL is empty.", hint="The http gateway sends there.", id="luckygas.E002"))
    if "*" in settings.ALLOWED_HOSTS:
        hint = "With * any site may open a WebSocket with the visitor's session: name the hosts."
        found.append(Warning("ALLOWED_HOSTS contains *.", hint=hint, id="luckygas.W001"))
    return found
