"""Failed sign-ins, counted by django-axes, on the sign-in page (also the admin's) and on `auth/token/`.

A lock applies to one name from one address, so that an attacker elsewhere cannot lock users out. The log masks names
and addresses.
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

LONGEST_NAME = 255  # the column's length in django-axes


def name_of(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """`AXES_USERNAME_CALLABLE`: the name to count, cut to the column's length."""
    return str((credentials or {}).get("username") or "")[:LONGEST_NAME]


def cooloff_seconds() -> int:
    return int(settings.AXES_COOLOFF_TIME.total_seconds())


def locked_text() -> str:
    minutes = max(1, round(cooloff_seconds() / 60))
    text = ngettext(
        "Too many wrong passwords for this account from your network. Please try again in %d minute or ask the office.",
        "Too many wrong passwords for this account from your network. Please try again in %d minutes or "
        "ask the office.",
        minutes,
    )
    return text % minutes


def is_locked(request: Any) -> bool:
    """Whether this attempt came during a lock, so that its password was not checked, or triggered the lock."""
    return bool(getattr(request, "axes_locked_out", False))


def lockout_response(request: HttpRequest, response: HttpResponse, credentials: object) -> HttpResponse:
    """`AXES_LOCKOUT_CALLABLE`: sets the status and Retry-After. The page shows the message itself."""
    response.status_code = 429
    response["Retry-After"] = str(cooloff_seconds())
    return response


def clear_failures(request: HttpRequest, name: str) -> None:
    """Deletes the failures of this name and address. Call it after a successful sign-in by token.

    After a sign-in with a session django-axes deletes them itself.
    """
    address = throttling.address_of(request)
    AccessAttempt.objects.filter(username=name_of(request, {"username": name}), ip_address=address).delete()


def log_failure(credentials: Mapping[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """Receiver of `user_login_failed`: logs a failed sign-in over HTTP, unless `log_lock` logs it."""
    if request is not None and not is_locked(request):
        log.warning("A sign-in failed: %s from %s.", masked_name(name_of(request, credentials)), masked_origin(request))


def log_lock(request: HttpRequest, username: str, **kwargs: Any) -> None:
    """Receiver of `user_locked_out`: logs an attempt that triggered the lock or came during it."""
    log.warning("A sign-in is locked: %s from %s.", masked_name(username), masked_origin(request))


def masked_name(name: str) -> str:
    """`w***g` for `wang`, `***` for a short or unprintable name. Users sometimes type their password as the name."""
    return f"{name[0]}***{name[-1]}" if len(name) > 3 and name.isprintable() else "***"


def masked_origin(request: HttpRequest) -> str:
    """The client's network: `203.0.113.*`, `2001:db8:1:*`; `*` without an address."""
    address = throttling.address_of(request) or "*"
    if "." in address:
        return address.rpartition(".")[0] + ".*"
    return ":".join(address.split(":")[:3]) + ":*" if ":" in address else address
