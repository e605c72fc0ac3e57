"""Passwords are hashed one at a time, and nobody holds a database connection meanwhile.

A hash takes half a second of a processor. Fifty people who sign in at once would hold all connections for as long as
all of their hashes take.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.utils.translation import gettext_lazy as _

# Of this process: who hashes and who waits for it. The last one waits some eight seconds.
MOST_AT_ONCE = 16
CROWDED = _("Many people are signing in at the moment. Please try again in a few seconds.")
_places, _turn = BoundedSemaphore(MOST_AT_ONCE), Lock()


class Crowded(Exception):
    """Too many wait for their password to be hashed; nothing was read or changed."""


class PasswordHasher(PBKDF2PasswordHasher):
    """Django's own, in its turn. Every check of a password ends here too, also of a name that nobody has."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Raises Crowded."""
        with in_turn():
            return super().encode(password, salt, iterations)


@contextmanager
def in_turn() -> Iterator[None]:
    """Gives the connection back and waits. Within a transaction that cannot be, so nobody waits there: the few who make
    accounts in the admin. Raises Crowded.
    """
    if connection.in_atomic_block:
        yield
        return
    if not _places.acquire(blocking=False):
        raise Crowded
    try:
        connection.close()
        with _turn:
            yield
    finally:
        _places.release()
