"""Models whose every change is told: to screens as events, to customers by SMS, to the audit as rows.

A save is one transaction with its receivers, and knows what it changes (`Tracked`). What tells is `save()`, or a
function of the app. One SQL statement for many rows would tell nobody, so the managers of these models refuse it
(`AnnouncedQuerySet`). The one door is `unannounced()`: for filling, anonymising, a demo's past, and the conditional
UPDATE of a function that tells by itself. The log does not know of what goes through it: screens that are open show the
old rows until they load afresh, unless a new epoch is begun (`realtime.log.begin_epoch`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, NoReturn, Self, TypeVar

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


Row = TypeVar("Row", bound=models.Model)


class AnnouncedQuerySet(models.QuerySet[Row]):
    """Refuses `update`, `bulk_update`, `bulk_create` and `delete`, naming the function to call instead.

    Its model sets `base_manager_name`, so that also `add()` of a related manager is refused. `save()` and cascades use
    other methods of Django; but SET_NULL, SET_DEFAULT and SET() call `update`, so no key of its model may have them.
    """

    # Dotted names of functions.
    to_change: ClassVar[str]
    to_add: ClassVar[str]
    to_remove: ClassVar[str]

    def unannounced(self) -> models.QuerySet[Row]:
        """The same rows, as a queryset that may do all this. Nobody is told."""
        return models.QuerySet(self.model, self.query.chain(), self.db)

    def update(self, **columns: Any) -> NoReturn:
        raise self._told_nobody("update", self.to_change)

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise self._told_nobody("bulk_update", self.to_change)

    def bulk_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise self._told_nobody("bulk_create", self.to_add)

    def delete(self) -> NoReturn:
        raise self._told_nobody("delete", self.to_remove)

    delete.queryset_only = True  # type: ignore[attr-defined]  # no manager of Django has it

    def _told_nobody(self, name: str, instead: str) -> TypeError:
        return TypeError(f"{name}() of {self.model.__name__} tells nobody. Call {instead}(), or unannounced() before.")
