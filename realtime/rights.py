"""Rights that end while sockets are open: by a change of the account, by signing out, and of a link with the order's
customer (docs/realtime.md).

They end by events of the log, on a channel that nobody can read, so that every hub obeys them in the log's order.
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
from realtime.connection import ENDED
from realtime.frames import Encoded
from realtime.models import Event
from web.refusals import Refusal

CHANNEL = "rights"
TYPE = "rights.ended"


def session_name(session_key: str) -> str:
    """A Django session as identities and the log name it: from this nobody can make the cookie."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:32]


def present(user_ids: Iterable[int]) -> dict[int, str]:
    """`Identity.rights` of those users who are active, in one query."""
    if not (wanted := set(user_ids)):
        return {}
    users = User.objects.filter(pk__in=wanted, is_active=True).select_related("staff_role", "driver", "customer")
    return {user.pk: Identity.of(user).rights for user in users}


def recent() -> list[Encoded]:
    """The ends of the log that a token may still be older than."""
    ends = Event.objects.filter(created_at__gt=timezone.now() - _kept(), type=TYPE)
    return [Encoded.of(event) for event in ends.order_by("seq")]


def _kept() -> timedelta:
    """An access token that lives longer than this knows of the end."""
    lifetime: timedelta = api_settings.ACCESS_TOKEN_LIFETIME
    return 2 * lifetime


def have_ended() -> Refusal:
    """Its `status` is the code to close with."""
    return Refusal("rights_ended", _("You signed out or your account was changed. Please sign in again."), status=ENDED)


class Ends:
    """What ended of late: a token from before is not let in, although it is still valid by itself."""

    def __init__(self) -> None:
        self._ends: dict[str, Encoded] = {}

    def hear(self, event: Encoded) -> None:
        """In the order of the log."""
        whose = event.data["whose"]
        self._ends.pop(whose, None)
        self._ends[whose] = event
        # Of an event from a server whose clock is ahead, nothing before it has become old.
        old = min(event.created_at, timezone.now()) - _kept()
        while next(iter(self._ends.values())).created_at < old:
            del self._ends[next(iter(self._ends))]

    def concern(self, identity: Identity) -> bool:
        """Whether these are rights that ended."""
        whose = (identity.owner, f"session:{identity.session}")
        return any(name in self._ends and self._ends[name].data["rights"] != identity.rights for name in whose)

    def check(self, identity: Identity) -> None:
        """Raises a Refusal whose `status` is the code to close with."""
        if self.concern(identity):
            raise have_ended()
