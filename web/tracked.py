"""Models whose changes others listen to: a save is one transaction with its receivers, and knows what it changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Self

from django.db import models, transaction


class Tracked(models.Model):
    """During `post_save`, `before` holds the columns this save wrote anew with the values read; empty for a new row.

    What the receivers of `post_save` write is part of the change: if they cannot write it, nothing was saved. (Django
    by itself sends `post_save` after its own commit where no transaction is open.)

    The object remembers what it read and what it wrote. After a rollback that is not what the row holds: read the
    object again (`refresh_from_db`) before saving it once more.
    """

    before: dict[str, Any] = {}  # replaced whole, never changed in place
    _read: dict[str, Any] = {}

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        named = None if update_fields is None else frozenset(update_fields)
        changed = {} if self._state.adding else self.unsaved()
        self.before = {name: changed[name] for name in changed.keys() & self._columns(named)}
        # No savepoint within another transaction: a failure takes back that one whole, as Django's own save does.
        with transaction.atomic(savepoint=False):
            super().save(*args, update_fields=named, **kwargs)
        self._remember(named)

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any]) -> Self:
        instance = super().from_db(db, field_names, values)
        instance._remember()
        return instance

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None
    ) -> None:
        """Django's own, which reads a deferred column too; what is set in other columns stays unsaved."""
        named = None if fields is None else frozenset(fields)
        super().refresh_from_db(using=using, fields=named, from_queryset=from_queryset)
        self._remember(named)

    def _remember(self, names: frozenset[str] | None = None) -> None:
        """These columns, or all, are now as in the row."""
        loaded = self.__dict__
        # A new dict: the one of the class is everybody's.
        self._read = self._read | {name: loaded[name] for name in self._columns(names) & loaded.keys()}

    def _columns(self, names: frozenset[str] | None) -> set[str]:
        """Fields are named as in the model (`driver`) or as in the table (`driver_id`); None means all."""
        fields = self._meta.concrete_fields
        return {field.attname for field in fields if names is None or names & {field.name, field.attname}}

    def unsaved(self) -> dict[str, Any]:
        """The columns that differ from what was read, with the values read."""
        now = self.__dict__
        return {name: value for name, value in self._read.items() if name in now and now[name] != value}
