"""Models whose every change is told: to screens as events, to customers by SMS, to the audit as rows.

What tells is `save()`, or a function of the app. One SQL statement for many rows would tell nobody, so the managers of
these models refuse it. The one door is `unannounced()`: for filling, anonymising, a demo's past, and the conditional
UPDATE of a function that tells by itself. The log does not know of what goes through it: screens that are open show
the old rows until they load afresh, unless a new epoch is begun (`realtime.log.begin_epoch`).
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, TypeVar

from django.db import models

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
