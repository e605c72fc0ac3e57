"""Attempts to sign in, on every door: our page, which the admin uses too, and `auth/token/`. django-axes counts them.

A name is locked from one address: a stranger elsewhere locks nobody out. What is logged names neither whole.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import ngettext

from web import throttling

log = logging.getLogger(__name__)

LONGEST_NAME = 255  # the column of django-axes


def name_of(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """`AXES_USERNAME_CALLABLE`."""
    return str((credentials or {}).get("username") or "")[:LONGEST_NAME]


def cooloff_seconds() -> int:
    return int(settings.AXES_COOLOFF_TIME.total_seconds())


def locked_words() -> str:
    minutes = max(1, round(cooloff_seconds() / 60))
    said = ngettext(
        "Too many wrong passwords for this name from here. Please try again in %d minute or ask the office.",
        "Too many wrong passwords for this name from here. Please try again in %d minutes or ask the office.",
        minutes,
    )
    return said % minutes


def is_locked(request: Any) -> bool:
    """Whether the attempt just made was refused unread, or was the one too many."""
    return bool(getattr(request, "axes_locked_out", False))


def answered(request: HttpRequest, response: HttpResponse, credentials: object) -> HttpResponse:
    """`AXES_LOCKOUT_CALLABLE`: the page itself says what happened; here only the status is given to it."""
    response.status_code = 429
    response["Retry-After"] = str(cooloff_seconds())
    return response


def forget(request: HttpRequest, name: str) -> None:
    """The right password was said: the wrong ones before it are forgotten. django-axes hears of sessions only."""
    address = throttling.address_of(request)
    AccessAttempt.objects.filter(username=name_of(request, {"username": name}), ip_address=address).delete()


def failed(credentials: Mapping[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """Receiver of `user_login_failed`."""
    if request is not None and not is_locked(request):
        log.warning("A sign-in failed: %s from %s.", masked_name(name_of(request, credentials)), masked_origin(request))


def locked(request: HttpRequest, username: str, **kwargs: Any) -> None:
    """Receiver of `user_locked_out`."""
    log.warning("A sign-in is locked: %s from %s.", masked_name(username), masked_origin(request))


def masked_name(name: str) -> str:
    """`w***g`: some type their password where the name belongs."""
    return f"{name[0]}***{name[-1]}" if len(name) > 3 and name.isprintable() else "***"


def masked_origin(request: HttpRequest) -> str:
    """`203.0.113.*`, `2001:db8:1:*`."""
    address = throttling.address_of(request) or "*"
    if "." in address:
        return address.rpartition(".")[0] + ".*"
    return ":".join(address.split(":")[:3]) + ":*" if ":" in address else address
