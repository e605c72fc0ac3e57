"""Django's sessions in the database, but for keys that Django never gave: a cookie may hold anything, also NUL."""

from __future__ import annotations

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str) -> bool:
        """Whoever sends another key has no session, and nothing is looked up for it."""
        is_long = super()._validate_session_key(key)  # type: ignore[misc]  # not in the stubs
        return bool(is_long) and key.isascii() and key.isalnum()
