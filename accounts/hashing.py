"""Passwords are hashed one at a time.

A hash takes half a second of a processor. Fifty people who sign in at once would hold all connections for as long as
all of their hashes take.
"""

from __future__ import annotations

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.utils.translation import gettext_lazy as _

from web.one_at_a_time import OneAtATime

hashing = OneAtATime(_("Many people are signing in at the moment. Please try again in a few seconds."))


class PasswordHasher(PBKDF2PasswordHasher):
    """Django's own, in its turn. Every check of a password ends here too, also of a name that nobody has."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Raises Overloaded. The few who make accounts in the admin, within a transaction, do not wait."""
        with hashing.turn():
            return super().encode(password, salt, iterations)
