"""System checks that find wrong settings at start, and not at the first SMS. Each has an id and a hint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.module_loading import import_string
from redis.connection import parse_url

from customers.phones import AREAS
from luckygas.environment import LOOPBACK
from luckygas.logs import FORMATS
from notifications import carrier_rules, sending_rules, texts

# The id (E: the site does not start; W: a warning), what is wrong, and what to do.
Problem = tuple[str, str, str]

SHORTEST_SECRET = 16
# About as long as a real, registered link. It replaces the demo's link, for which nobody pays.
SHORT_URL = "https://lg.tw/t/"
# The allowed range of each number, both ends included.
LIMITS: dict[str, tuple[float, float]] = {
    # All tries of a sending must end before it counts as interrupted (five minutes).
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
    # Clients send a heartbeat every 30 s. Tests need less.
    "WEBSOCKET_SILENCE_SECONDS": (0.1, 3600),
    "WEBSOCKET_WAITING_EVENTS": (1, 100_000),
    "WEBSOCKET_WAITING_BYTES": (1024, 64 * 1024 * 1024),
}


@register()
def settings_are_sound(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return [
        (Warning if id_.startswith("W") else Error)(wrong, hint=hint, id=f"luckygas.{id_}")
        for id_, wrong, hint in (*gateways(), *figures(), *secrets(), *site(), *messages(), *receipts())
    ]


def gateways() -> Iterator[Problem]:
    for setting in ("SMS_GATEWAY", "SMS_FALLBACK_GATEWAY"):
        name = getattr(settings, setting)
        if name in settings.SMS_GATEWAYS:
            yield from gateway(name)
        elif name or setting == "SMS_GATEWAY":
            yield "E001", f"{setting} is {name!r}.", f"Use one of: {', '.join(settings.SMS_GATEWAYS)}."
    if settings.SMS_GATEWAY == settings.SMS_FALLBACK_GATEWAY:
        yield "E004", "SMS_FALLBACK_GATEWAY is SMS_GATEWAY itself.", "Name another gateway, or none."


def gateway(name: str) -> Iterator[Problem]:
    for setting in import_string(settings.SMS_GATEWAYS[name]).needs:
        value = getattr(settings, setting)
        url = urlsplit(value) if setting.endswith("_URL") else None
        if not value:
            yield "E002", f"{setting} is empty.", f"The {name} gateway needs it."
        elif url and url.scheme != "https" and url.hostname not in LOOPBACK:
            yield (
                "E005", f"{setting} is no https URL.",
                "Use https: password and telephone numbers would be sent in the clear.",
            )  # fmt: skip


def figures() -> Iterator[Problem]:
    for name, (least, most) in LIMITS.items():
        if not least <= getattr(settings, name) <= most:
            yield "E003", f"{name} is {getattr(settings, name)}.", f"Use {least} to {most}."


def secrets() -> Iterator[Problem]:
    """Short secrets in a URL or a header can be guessed."""
    for name in ("MONITORING_TOKEN", "SMS_CALLBACK_SECRET"):
        if 0 < len(getattr(settings, name)) < SHORTEST_SECRET:
            yield "W003", f"{name} is short.", "Take at least 16 random characters: `openssl rand -hex 24`."


def site() -> Iterator[Problem]:
    if settings.LOG_FORMAT not in FORMATS:
        yield "E017", f"LOG_FORMAT is {settings.LOG_FORMAT!r}.", f"Use one of: {', '.join(FORMATS)}."
    if is_refused(parse_url, settings.REDIS_URL or "redis://"):  # the reason repeats part of a password
        yield (
            "E018", "REDIS_URL is no address of a Redis.",
            "Use redis://:password@host:6379/0, rediss:// for TLS, or unix:// for a socket.",
        )  # fmt: skip
    if settings.SHOP_AREA_CODE and settings.SHOP_AREA_CODE not in AREAS:
        yield (
            "E019", f"SHOP_AREA_CODE is {settings.SHOP_AREA_CODE!r}.",
            f"Use one of {', '.join(sorted(AREAS))}, or leave it empty.",
        )  # fmt: skip
    url = urlsplit(settings.SITE_URL)
    if url.scheme not in ("http", "https") or not url.hostname or url.path or url.query:
        yield (
            "E021", f"SITE_URL is {settings.SITE_URL!r}.",
            "Name scheme and host, as https://gas.example.tw: links in e-mail begin with it.",
        )  # fmt: skip
    if "*" in settings.ALLOWED_HOSTS:
        yield (
            "W001", "ALLOWED_HOSTS contains *.",
            "With * the site takes any name for its own, also that of whoever made one for it: name the hosts.",
        )  # fmt: skip
    if settings.HTTPS and settings.EMAIL_BACKEND == "django.core.mail.backends.console.EmailBackend":
        yield (
            "W004", "E-mail is written to the log.",
            "Name a mail server in EMAIL_URL: links that set a password stand in the log, and reach nobody.",
        )  # fmt: skip


def messages() -> Iterator[Problem]:
    """Checks the parts of an SMS and its quiet hours."""
    tracking = settings.TRACKING_URL
    if is_refused(sending_rules.quiet_hours):
        yield (
            "E010", f"SMS_QUIET_HOURS is {settings.SMS_QUIET_HOURS!r}.",
            "Write 21:00-08:00, or leave it empty.",
        )  # fmt: skip
    host = urlsplit(tracking).hostname
    if not host or carrier_rules.foreign_links(tracking):
        yield (
            "E011", f"TRACKING_URL is {tracking!r}.",
            "Write https://…/t/, with a host of SMS_LINK_HOSTS: messages with another link are not sent.",
        )  # fmt: skip
    if texts.segments_at_worst(SHORT_URL if host in LOOPBACK else tracking) > 1:
        yield (
            "W002", f"SMS_SENDER is {settings.SMS_SENDER!r}, and TRACKING_URL {tracking!r}.",
            "Each message costs two segments: shorten name or link.",
        )  # fmt: skip
    if not settings.SMS_SENDER.strip():
        yield (
            "E015", "SMS_SENDER is empty.",
            "Name the sender that is registered: the carriers block what does not carry it.",
        )  # fmt: skip
    key = settings.SMS_API_KEY
    if not key.isprintable() or key != key.strip():  # a line end, for example, breaks every request
        yield (
            "E016", "SMS_API_KEY cannot stand in a header.",
            "Write it without spaces around it, and without the end of a line.",
        )  # fmt: skip


def receipts() -> Iterator[Problem]:
    """Checks the settings of callbacks."""
    for network in settings.SMS_CALLBACK_ADDRESSES:
        if is_refused(ip_network, network, strict=False):  # every receipt would be refused
            yield (
                "E012", f"SMS_CALLBACK_ADDRESSES has {network!r}.",
                "Write addresses or networks, comma-separated: 203.0.113.7,198.51.100.0/24.",
            )  # fmt: skip
    if not re.fullmatch("[A-Za-z0-9_-]*", settings.SMS_CALLBACK_SECRET):
        yield "E013", "SMS_CALLBACK_SECRET cannot stand in a path.", "Use letters, digits, - and _ only."
    url = settings.SMS_CALLBACK_BASE_URL
    if url and not re.match(r"https?://[A-Za-z0-9]", url):
        yield "E014", f"SMS_CALLBACK_BASE_URL is {url!r}.", "Write it whole: https://gas.example.tw."


def is_refused(parse: Callable[..., object], *value: Any, **options: Any) -> bool:
    """Whether `parse` raises ValueError for the value of a setting."""
    try:
        parse(*value, **options)
    except ValueError:
        return True
    return False
