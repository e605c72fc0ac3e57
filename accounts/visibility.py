"""Which rows somebody may see who is not office. Each app says it of its rows, also for apps to its left.

A customer may be seen by the driver who delivers to them: that is known where orders are, and `customers/` asks here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from django.db.models import Model, Q, QuerySet

from accounts.roles import is_office

if TYPE_CHECKING:
    from accounts.roles import Anyone

Row = TypeVar("Row", bound=Model)
NONE = Q(pk__in=())

_rules: dict[type[Model], Callable[[Anyone], Q]] = {}


def register(model: type[Model], rule: Callable[[Anyone], Q]) -> None:
    """`rule`: the condition of the rows that a driver or customer may see; NONE where they see none.

    Call it in `AppConfig.ready()`.
    """
    _rules[model] = rule


def visible(user: Anyone, rows: QuerySet[Row]) -> QuerySet[Row]:
    """Those of `rows` the user may see: the office all, others what the rule of their model says."""
    if is_office(user):
        return rows
    rule = _rules.get(rows.model)
    return rows.filter(rule(user) if rule else NONE)
