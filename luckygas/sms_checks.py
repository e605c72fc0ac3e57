"""Wrong settings of what goes into an SMS, and when it goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from notifications import guard, messages, quiet

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# What a registered domain of one's own is about as long as: nobody pays for the links of the demo.
SHORT_URL = "https://lg.tw/t/"


@register()
def messages_are_sound(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """E010 unreadable quiet hours; E011 a link whose host is not registered; W002 messages that take two segments."""
    return [*quiet_hours(), *tracking_link(), *length()]


def quiet_hours() -> Iterator[CheckMessage]:
    try:
        quiet.hours()
    except ValueError:
        hint = "Write 21:00-08:00, or leave it empty."
        yield Error(f"SMS_QUIET_HOURS is {settings.SMS_QUIET_HOURS!r}.", hint=hint, id="luckygas.E010")


def tracking_link() -> Iterator[CheckMessage]:
    if not urlsplit(settings.TRACKING_URL).hostname or guard.foreign_links(settings.TRACKING_URL):
        hint = "Write https://…/t/, with a host of SMS_LINK_HOSTS: messages with another link are not sent."
        yield Error(f"TRACKING_URL is {settings.TRACKING_URL!r}.", hint=hint, id="luckygas.E011")


def length() -> Iterator[CheckMessage]:
    local = urlsplit(settings.TRACKING_URL).hostname in LOOPBACK
    if messages.segments_at_worst(SHORT_URL if local else settings.TRACKING_URL) > 1:
        said = f"SMS_SENDER is {settings.SMS_SENDER!r}, and TRACKING_URL {settings.TRACKING_URL!r}."
        yield Warning(said, hint="Each message costs two segments: shorten name or link.", id="luckygas.W002")
