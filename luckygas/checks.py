"""Wrong settings, said at start and not at the first SMS: each with an id and a hint."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.module_loading import import_string
from redis.connection import parse_url

from customers.phones import AREA_LENGTHS
from luckygas.environment import LOOPBACK
from luckygas.logs import FORMATS


@register()
def settings_are_sound(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """W001 any host; W004 mails that nobody gets; E017 an unknown form of the log; E018 a REDIS_URL that is none;

    E019 an area code that Taiwan does not have; E021 a SITE_URL that is none; and what is said below.
    """
    found = gateways_are_sound()
    found += figures_are_sound()
    found += secrets_are_long()
    if settings.LOG_FORMAT not in FORMATS:
        hint = f"Use one of: {', '.join(FORMATS)}."
        found.append(Error(f"LOG_FORMAT is {settings.LOG_FORMAT!r}.", hint=hint, id="luckygas.E017"))
    found += redis_is_named()
    if settings.SHOP_AREA_CODE and settings.SHOP_AREA_CODE not in AREA_LENGTHS:
        hint = f"Use one of {', '.join(sorted(AREA_LENGTHS))}, or leave it empty."
        found.append(Error(f"SHOP_AREA_CODE is {settings.SHOP_AREA_CODE!r}.", hint=hint, id="luckygas.E019"))
    site = urlsplit(settings.SITE_URL)
    if site.scheme not in ("http", "https") or not site.hostname or site.path or site.query:
        hint = "Name scheme and host, as https://gas.example.tw: links in e-mail begin with it."
        found.append(Error(f"SITE_URL is {settings.SITE_URL!r}.", hint=hint, id="luckygas.E021"))
    if "*" in settings.ALLOWED_HOSTS:
        hint = "With * the site takes any name for its own, also that of whoever made one for it: name the hosts."
        found.append(Warning("ALLOWED_HOSTS contains *.", hint=hint, id="luckygas.W001"))
    if settings.HTTPS and settings.EMAIL_BACKEND == "django.core.mail.backends.console.EmailBackend":
        hint = "Name a mail server in EMAIL_URL: links that set a password stand in the log, and reach nobody."
        found.append(Warning("E-mail is written to the log.", hint=hint, id="luckygas.W004"))
    return found


def redis_is_named() -> list[CheckMessage]:
    try:
        parse_url(settings.REDIS_URL or "redis://")  # type: ignore[no-untyped-call]
    except ValueError:  # which repeats part of a password
        hint = "Use redis://:password@host:6379/0, rediss:// for TLS, or unix:// for a socket."
        return [Error("REDIS_URL is no address of a Redis.", hint=hint, id="luckygas.E018")]
    return []


def gateways_are_sound() -> list[CheckMessage]:
    """E001 an unknown gateway; E002 a setting it needs; E004 a stand-in for itself; E005 a password in the clear."""
    found: list[CheckMessage] = []
    used = {"SMS_GATEWAY": settings.SMS_GATEWAY, "SMS_FALLBACK_GATEWAY": settings.SMS_FALLBACK_GATEWAY}
    for setting, name in used.items():
        if name in settings.SMS_GATEWAYS:
            found += gateway_is_sound(name)
        elif name or setting == "SMS_GATEWAY":
            known = ", ".join(settings.SMS_GATEWAYS)
            found.append(Error(f"{setting} is {name!r}.", hint=f"Use one of: {known}.", id="luckygas.E001"))
    if settings.SMS_GATEWAY == settings.SMS_FALLBACK_GATEWAY:
        hint = "Name another gateway, or none."
        found.append(Error("SMS_FALLBACK_GATEWAY is SMS_GATEWAY itself.", hint=hint, id="luckygas.E004"))
    return found


def gateway_is_sound(name: str) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for setting in import_string(settings.SMS_GATEWAYS[name]).needs:
        value = getattr(settings, setting)
        url = urlsplit(value) if setting.endswith("_URL") else None
        if not value:
            found.append(Error(f"{setting} is empty.", hint=f"The {name} gateway needs it.", id="luckygas.E002"))
        elif url and url.scheme != "https" and url.hostname not in LOOPBACK:
            hint = "Use https: password and telephone numbers would be sent in the clear."
            found.append(Error(f"{setting} is no https URL.", hint=hint, id="luckygas.E005"))
    return found


SHORTEST_SECRET = 16


def secrets_are_long() -> list[CheckMessage]:
    """W003 a secret in a URL or a header that can be guessed."""
    return [
        Warning(
            f"{name} is short.",
            hint="Take at least 16 random characters: `openssl rand -hex 24`.",
            id="luckygas.W003",
        )
        for name in ("MONITORING_TOKEN", "SMS_CALLBACK_SECRET")
        if 0 < len(getattr(settings, name)) < SHORTEST_SECRET
    ]


# What each figure may be, both ends included.
LIMITS: dict[str, tuple[float, float]] = {
    # A sending given up for dead after five minutes must be over by then, with all its tries.
    "SMS_TIMEOUT_SECONDS": (0.1, 60),
    "SMS_WAIT_SECONDS": (0, 60),
    "SMS_WORKERS": (1, 100),
    "PROXIES": (0, 10),
    "DATABASE_POOL": (1, 1000),
    "DATABASE_LOCK_SECONDS": (1, 60),
    "DATABASE_IDLE_SECONDS": (1, 3600),
    "SIGN_IN_FAILURES": (1, 1000),
    "SIGN_IN_COOLOFF_MINUTES": (1, 24 * 60),
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
