"""Wrong settings of what goes into an SMS, when it goes, and who may say what became of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from luckygas.environment import LOOPBACK
from notifications import carrier_rules, sending_rules, texts

# What a registered domain of one's own is about as long as: nobody pays for the links of the demo.
SHORT_URL = "https://lg.tw/t/"


@register()
def messages_are_sound(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E010 unreadable quiet hours; E011 a link whose host is not registered; W002 messages that take two segments;

    E012 what is no address that receipts may come from; E013 a secret that cannot stand in a path; E014 no URL that
    providers could call; E015 no registered name to put in front; E016 a key that cannot stand in a header.
    """
    return [*night(), *tracking_link(), *length(), *addresses(), *secret(), *callbacks(), *sender(), *key()]


def night() -> Iterator[CheckMessage]:
    try:
        sending_rules.quiet_hours()
    except ValueError:
        hint = "Write 21:00-08:00, or leave it empty."
        yield Error(f"SMS_QUIET_HOURS is {settings.SMS_QUIET_HOURS!r}.", hint=hint, id="luckygas.E010")


def tracking_link() -> Iterator[CheckMessage]:
    if not urlsplit(settings.TRACKING_URL).hostname or carrier_rules.foreign_links(settings.TRACKING_URL):
        hint = "Write https://…/t/, with a host of SMS_LINK_HOSTS: messages with another link are not sent."
        yield Error(f"TRACKING_URL is {settings.TRACKING_URL!r}.", hint=hint, id="luckygas.E011")


def length() -> Iterator[CheckMessage]:
    local = urlsplit(settings.TRACKING_URL).hostname in LOOPBACK
    if texts.segments_at_worst(SHORT_URL if local else settings.TRACKING_URL) > 1:
        said = f"SMS_SENDER is {settings.SMS_SENDER!r}, and TRACKING_URL {settings.TRACKING_URL!r}."
        yield Warning(said, hint="Each message costs two segments: shorten name or link.", id="luckygas.W002")


def addresses() -> Iterator[CheckMessage]:
    """With one of these every receipt would be refused."""
    for network in settings.SMS_CALLBACK_ADDRESSES:
        try:
            ip_network(network, strict=False)
        except ValueError:
            hint = "Write addresses or networks, comma-separated: 203.0.113.7,198.51.100.0/24."
            yield Error(f"SMS_CALLBACK_ADDRESSES has {network!r}.", hint=hint, id="luckygas.E012")


def secret() -> Iterator[CheckMessage]:
    if not re.fullmatch("[A-Za-z0-9_-]*", settings.SMS_CALLBACK_SECRET):
        hint = "Use letters, digits, - and _ only."
        yield Error("SMS_CALLBACK_SECRET cannot stand in a path.", hint=hint, id="luckygas.E013")


def key() -> Iterator[CheckMessage]:
    """With the end of a line in it, say, no request can be made."""
    said = settings.SMS_API_KEY
    if not said.isprintable() or said != said.strip():
        hint = "Write it without spaces around it, and without the end of a line."
        yield Error("SMS_API_KEY cannot stand in a header.", hint=hint, id="luckygas.E016")


def callbacks() -> Iterator[CheckMessage]:
    url = settings.SMS_CALLBACK_BASE_URL
    if url and not re.match(r"https?://[A-Za-z0-9]", url):
        hint = "Write it whole: https://gas.example.tw."
        yield Error(f"SMS_CALLBACK_BASE_URL is {url!r}.", hint=hint, id="luckygas.E014")


def sender() -> Iterator[CheckMessage]:
    if not settings.SMS_SENDER.strip():
        hint = "Name the sender that is registered: the carriers block what does not carry it."
        yield Error("SMS_SENDER is empty.", hint=hint, id="luckygas.E015")
