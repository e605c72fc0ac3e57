"""A model that knows what a save changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Self

from django.db import models


class Tracked(models.Model):
    """During `post_save`, `before` holds the changed columns with the values that were read; empty for a new row."""

    before: dict[str, Any] = {}  # replaced whole, never changed in place
    _read: dict[str, Any] = {}

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.before = {} if self._state.adding else self.unsaved()
        super().save(*args, **kwargs)
        self._remember()

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any]) -> Self:
        instance = super().from_db(db, field_names, values)
        instance._remember()
        return instance

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None
    ) -> None:
        super().refresh_from_db(using=using, fields=fields, from_queryset=from_queryset)
        self._remember()

    def _remember(self) -> None:
        loaded = self.__dict__
        self._read = {f.attname: loaded[f.attname] for f in self._meta.concrete_fields if f.attname in loaded}

    def unsaved(self) -> dict[str, Any]:
        """The columns that differ from what was read, with the values read."""
        now = self.__dict__
        return {name: value for name, value in self._read.items() if name in now and now[name] != value}
