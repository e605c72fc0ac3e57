"""How many sockets one user, or the holders of one link, may have open."""

from __future__ import annotations

from django.conf import settings

# Close code of the oldest when there is one too many.
TOO_MANY_CONNECTIONS = 4409
# A link is passed on in a family or an office, and forwarded no further.
PER_LINK = 20


def most_connections(owner: str) -> int:
    """Of `user:17` or `track:5` (`Identity.owner`)."""
    return PER_LINK if owner.startswith("track:") else settings.WEBSOCKET_CONNECTIONS_PER_USER
