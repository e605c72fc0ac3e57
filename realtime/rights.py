"""Revokes the rights of open sockets and of tokens (docs/realtime.md).

Account changes and signing out revoke rights. A change of an order's customer revokes the order's old tracking link.
Each revocation is an event of the log, on a channel that no client can read. So every hub applies it in log order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework_simplejwt.settings import api_settings

from realtime.channels import Identity
from realtime.connection import UNAUTHORIZED
from realtime.frames import Encoded
from realtime.models import Event
from web.refusals import Refusal

CHANNEL = "rights"
TYPE = "rights.ended"


def session_name(session_key: str) -> str:
    """The name of a Django session in tokens and events: a hash, so that the cookie stays secret."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:32]


def current_rights(user_ids: Iterable[int]) -> dict[int, str]:
    """The current `Identity.rights` by user id, in one query. Inactive and deleted users are left out."""
    if not (wanted := set(user_ids)):
        return {}
    users = User.objects.filter(pk__in=wanted, is_active=True).select_related("staff_role", "driver", "customer")
    return {user.pk: Identity.of(user).rights for user in users}


def recent_revocations() -> list[Encoded]:
    """The revocations that may be newer than a token that has not expired yet, in the order of the log."""
    ends = Event.objects.filter(created_at__gt=timezone.now() - _retention(), type=TYPE)
    return [Encoded.of(event) for event in ends.order_by("seq")]


def _retention() -> timedelta:
    """How long to remember a revocation. Tokens from before the revocation have expired by then."""
    lifetime: timedelta = api_settings.ACCESS_TOKEN_LIFETIME
    return 2 * lifetime


def revoked_refusal() -> Refusal:
    """The refusal of a token or socket whose rights were revoked. Its `status` is the close code."""
    return Refusal(
        "rights_ended", _("You signed out or your account was changed. Please sign in again."), status=UNAUTHORIZED
    )


class Revocations:
    """The recent revocations. A token with revoked rights is refused even if it has not expired."""

    def __init__(self) -> None:
        self._events: dict[str, Encoded] = {}

    def add(self, event: Encoded) -> None:
        """Adds a revocation. Call in the order of the log."""
        whose = event.data["whose"]
        self._events.pop(whose, None)
        self._events[whose] = event
        # Use the earlier time, so that a server whose clock is ahead does not make revocations expire early.
        old = min(event.created_at, timezone.now()) - _retention()
        while next(iter(self._events.values())).created_at < old:
            del self._events[next(iter(self._events))]

    def cover(self, identity: Identity) -> bool:
        """Whether the rights of this identity were revoked."""
        whose = (identity.owner, f"session:{identity.session}")
        return any(name in self._events and self._events[name].data["rights"] != identity.rights for name in whose)

    def check(self, identity: Identity) -> None:
        """Raises a Refusal if the rights were revoked. Its `status` is the close code."""
        if self.cover(identity):
            raise revoked_refusal()
