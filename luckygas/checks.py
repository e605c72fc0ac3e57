"""System checks that report wrong settings. Management commands such as `check` and `runserver` run them.

uvicorn does not, so `deploy/install.sh` runs `check`.
"""

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

# The id (E: an error, with which most management commands do not start; W: a warning), what is wrong, and what to do.
Problem = tuple[str, str, str]

# The minimum length of a secret, in characters.
MIN_SECRET = 16
# Replaces a loopback link when the segments of an SMS are counted, because the demo's SMS are free. Has the length of
# a usual registered link.
SHORT_URL = "https://lg.tw/t/"
# The allowed range of each setting that is a number, both ends included.
LIMITS: dict[str, tuple[float, float]] = {
    # All tries of one message must end within five minutes, after which its sending counts as interrupted.
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
    # Clients send a heartbeat every 30 s, so production needs more than that. Tests set less.
    "WEBSOCKET_SILENCE_SECONDS": (0.1, 3600),
    "WEBSOCKET_WAITING_EVENTS": (1, 100_000),
    "WEBSOCKET_WAITING_BYTES": (1024, 64 * 1024 * 1024),
}


@register()
def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    checks = (check_gateways, check_ranges, check_secrets, check_site, check_messages, check_callbacks)
    return [
        (Warning if id_.startswith("W") else Error)(wrong, hint=hint, id=f"luckygas.{id_}")
        for check in checks
        for id_, wrong, hint in check()
    ]


def check_gateways() -> Iterator[Problem]:
    for setting in ("SMS_GATEWAY", "SMS_FALLBACK_GATEWAY"):
        name = getattr(settings, setting)
        if name in settings.SMS_GATEWAYS:
            yield from check_gateway(name)
        elif name or setting == "SMS_GATEWAY":
            yield "E001", f"{setting} is {name!r}.", f"Use one of: {', '.join(settings.SMS_GATEWAYS)}."
    if settings.SMS_GATEWAY and settings.SMS_GATEWAY == settings.SMS_FALLBACK_GATEWAY:
        yield "E004", "SMS_FALLBACK_GATEWAY is the same as SMS_GATEWAY.", "Use another gateway, or none."


def check_gateway(name: str) -> Iterator[Problem]:
    for setting in import_string(settings.SMS_GATEWAYS[name]).needs:
        value = getattr(settings, setting)
        url = urlsplit(value) if setting.endswith("_URL") else None
        if not value:
            yield "E002", f"{setting} is empty.", f"The {name} gateway needs it."
        elif url and url.scheme != "https" and url.hostname not in LOOPBACK:
            yield (
                "E005", f"{setting} is not an https URL.",
                "Use https. Otherwise passwords and telephone numbers are sent unencrypted.",
            )  # fmt: skip


def check_ranges() -> Iterator[Problem]:
    for name, (minimum, maximum) in LIMITS.items():
        if not minimum <= getattr(settings, name) <= maximum:
            yield "E003", f"{name} is {getattr(settings, name)}.", f"Use {minimum} to {maximum}."


def check_secrets() -> Iterator[Problem]:
    """Reports secrets that are set but so short that they can be guessed."""
    for name in ("MONITORING_TOKEN", "SMS_CALLBACK_SECRET"):
        if 0 < len(getattr(settings, name)) < MIN_SECRET:
            yield "W003", f"{name} is short.", "Use at least 16 random characters: `openssl rand -hex 24`."


def check_site() -> Iterator[Problem]:
    if settings.LOG_FORMAT not in FORMATS:
        yield "E017", f"LOG_FORMAT is {settings.LOG_FORMAT!r}.", f"Use one of: {', '.join(FORMATS)}."
    # Our text leaves out the error, which may repeat part of a password.
    if is_refused(parse_url, settings.REDIS_URL or "redis://"):
        yield (
            "E018", "REDIS_URL is not a Redis URL.",
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
            "Write scheme and host, such as https://gas.example.tw. Links in e-mail begin with it.",
        )  # fmt: skip
    if "*" in settings.ALLOWED_HOSTS:
        yield (
            "W001", "ALLOWED_HOSTS contains *.",
            "List the site's hosts. With * it answers under any name, also one that an attacker chose.",
        )  # fmt: skip
    if settings.HTTPS and settings.EMAIL_BACKEND == "django.core.mail.backends.console.EmailBackend":
        yield (
            "W004", "E-mail is written to the log.",
            "Set a mail server in EMAIL_URL. Until then links to set a password go to the log, not to the user.",
        )  # fmt: skip


def check_messages() -> Iterator[Problem]:
    """Checks the sender and the link of SMS, the quiet hours, and the key of the gateway `http`."""
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
            "Write https://…/t/, with a host of SMS_LINK_HOSTS. Messages with another link are not sent.",
        )  # fmt: skip
    if texts.max_default_segments(SHORT_URL if host in LOOPBACK else tracking) > 1:
        yield (
            "W002", f"SMS_SENDER is {settings.SMS_SENDER!r}, and TRACKING_URL is {tracking!r}.",
            "Messages cost more than one segment. Shorten the sender's name or the link.",
        )  # fmt: skip
    if not settings.SMS_SENDER.strip():
        yield (
            "E015", "SMS_SENDER is empty.",
            "Set the registered sender's name. Carriers block messages without it.",
        )  # fmt: skip
    key = settings.SMS_API_KEY
    if not key.isprintable() or key != key.strip():  # a line end, for example, breaks every request
        yield (
            "E016", "SMS_API_KEY has characters that an HTTP header cannot hold.",
            "Remove spaces at its start and end, and line ends.",
        )  # fmt: skip


def check_callbacks() -> Iterator[Problem]:
    for network in settings.SMS_CALLBACK_ADDRESSES:
        # With such a network all receipts are refused, except from addresses of networks before it.
        if is_refused(ip_network, network, strict=False):
            yield (
                "E012", f"SMS_CALLBACK_ADDRESSES contains {network!r}.",
                "Write addresses or networks, comma-separated: 203.0.113.7,198.51.100.0/24.",
            )  # fmt: skip
    if not re.fullmatch("[A-Za-z0-9_-]*", settings.SMS_CALLBACK_SECRET):
        yield "E013", "SMS_CALLBACK_SECRET cannot be part of a URL.", "Use only letters, digits, - and _."
    url = settings.SMS_CALLBACK_BASE_URL
    if url and not re.match(r"https?://[A-Za-z0-9]", url):
        yield "E014", f"SMS_CALLBACK_BASE_URL is {url!r}.", "Write scheme and host, such as https://gas.example.tw."


def is_refused(parse: Callable[..., object], *value: Any, **options: Any) -> bool:
    """Whether `parse(*value, **options)` raises ValueError."""
    try:
        parse(*value, **options)
    except ValueError:
        return True
    return False
