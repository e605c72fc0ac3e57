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
    found += figures_are_sound()
    if "*" in settings.ALLOWED_HOSTS:
        hint = "With * any site may open a WebSocket with the visitor's session: name the hosts."
        found.append(Warning("ALLOWED_HOSTS contains *.", hint=hint, id="luckygas.W001"))
    return found


# What each figure may be, both ends included.
LIMITS: dict[str, tuple[float, float]] = {
    # A sending given up for dead after five minutes must be over by then, with all its tries.
    "SMS_TIMEOUT_SECONDS": (0.1, 60),
    "SMS_WAIT_SECONDS": (0, 60),
    "SMS_WORKERS": (1, 100),
    "WEBSOCKET_CONNECTIONS_PER_USER": (1, 1000),
    "WEBSOCKET_MESSAGES_PER_SECOND": (0.1, 10_000),
    "WEBSOCKET_BURST": (1, 10_000),
    "WEBSOCKET_MESSAGE_BYTES": (1024, 16 * 1024 * 1024),
    # Clients are asked for a heartbeat each 30 s; the tests do not wait so long.
    "WEBSOCKET_SILENCE_SECONDS": (0.1, 3600),
    "WEBSOCKET_WAITING_EVENTS": (1, 100_000),
    "WEBSOCKET_WAITING_BYTES": (1024, 64 * 1024 * 1024),
}


def figures_are_sound() -> list[CheckMessage]:
    """E003 a time or a number that cannot work."""
    return [
        Error(f"{name} is {getattr(settings, name)}.", hint=f"Use {least} to {most}.", id="luckygas.E003")
        for name, (least, most) in LIMITS.items()
        if not least <= getattr(settings, name) <= most
    ]
