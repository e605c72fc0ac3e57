"""Models whose every change is announced: as events to screens, by SMS to customers, as rows to the audit.

`save()` and its receivers run in one transaction, and `before` says what the save changes (`Tracked`). The receivers,
or a function of the app, announce the change. One SQL statement for many rows would announce nothing, so the managers
of these models refuse such statements (`AnnouncedQuerySet`). Only `unannounced()` allows them: for bulk loading,
anonymising, a demo's past data, and the conditional UPDATE of a function that announces the change itself. Without an
announcement the event log has no entry: open screens show the old rows until they reload, unless a new epoch begins
(`realtime.log.begin_epoch`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, NoReturn, Self, TypeVar

from django.db import models, transaction


class Tracked(models.Model):
    """During `post_save`, `before` maps the columns that this save changed to their old values. Empty for a new row.

    The receivers of `post_save` run in the same transaction: if one fails, nothing is saved. (Outside of a transaction,
    Django itself sends `post_save` after its own commit.)

    The object remembers the values it read and wrote. After a rollback they may differ from the row: call
    `refresh_from_db` before the next save.
    """

    before: dict[str, Any] = {}  # the class's dict is shared: replaced for an instance, never changed in place
    _read: dict[str, Any] = {}

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        field_names = None if update_fields is None else frozenset(update_fields)
        changed = {} if self._state.adding else self.unsaved()
        self.before = {name: changed[name] for name in changed.keys() & self._columns(field_names)}
        # No savepoint inside another transaction: a failure rolls all of it back, as with Django's own save.
        with transaction.atomic(savepoint=False):
            super().save(*args, update_fields=field_names, **kwargs)
        self._remember(field_names)

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any]) -> Self:
        instance = super().from_db(db, field_names, values)
        instance._remember()
        return instance

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None
    ) -> None:
        """Django calls it to load a deferred column, too. Values set in columns that are not reloaded stay unsaved."""
        field_names = None if fields is None else frozenset(fields)
        super().refresh_from_db(using=using, fields=field_names, from_queryset=from_queryset)
        self._remember(field_names)

    def _remember(self, names: frozenset[str] | None = None) -> None:
        """Records that these columns (None: all) now hold the row's values."""
        loaded = self.__dict__
        # A new dict, because all instances share the class's.
        self._read = self._read | {name: loaded[name] for name in self._columns(names) & loaded.keys()}

    def _columns(self, names: frozenset[str] | None) -> set[str]:
        """The columns of the named fields (`driver` or `driver_id`); None means all."""
        fields = self._meta.concrete_fields
        return {field.attname for field in fields if names is None or names & {field.name, field.attname}}

    def unsaved(self) -> dict[str, Any]:
        """The columns changed since they were read, with the values that were read."""
        now = self.__dict__
        return {name: value for name, value in self._read.items() if name in now and now[name] != value}


Row = TypeVar("Row", bound=models.Model)


class AnnouncedQuerySet(models.QuerySet[Row]):
    """Refuses `update`, `bulk_update`, `bulk_create` and `delete`: a TypeError names the function to call instead.

    Its model sets `base_manager_name`, so that `add()` of a related manager is also refused. `save()` and cascades use
    other methods of Django and are allowed. SET_NULL, SET_DEFAULT and SET() call `update`, so no foreign key of its
    model may use them.
    """

    # Dotted names of the functions to call instead.
    to_change: ClassVar[str]
    to_add: ClassVar[str]
    to_remove: ClassVar[str]

    def unannounced(self) -> models.QuerySet[Row]:
        """The same rows as a queryset that allows these methods. Its changes are not announced."""
        return models.QuerySet(self.model, self.query.chain(), self.db)

    def update(self, **columns: Any) -> NoReturn:
        raise self._refusal("update", self.to_change)

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise self._refusal("bulk_update", self.to_change)

    def bulk_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise self._refusal("bulk_create", self.to_add)

    def delete(self) -> NoReturn:
        raise self._refusal("delete", self.to_remove)

    delete.queryset_only = True  # type: ignore[attr-defined]  # as on Django's own managers

    def _refusal(self, name: str, instead: str) -> TypeError:
        text = f"{name}() on {self.model.__name__} announces nothing. Call {instead}(), or unannounced() first."
        return TypeError(text)
