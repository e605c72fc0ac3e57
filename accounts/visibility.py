"""Which rows are somebody's own. Each app says it of its rows, also for apps to its left.

A customer may be seen by the driver who delivers to them: that is known where orders are, and `customers/` asks here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.contrib.auth import get_permission_codename
from django.db.models import Model, Q, QuerySet

from accounts.roles import ALL, OWN, Anyone, reach

Row = TypeVar("Row", bound=Model)
NONE = Q(pk__in=())

_rules: dict[type[Model], Callable[[Anyone], Q]] = {}


def register(model: type[Model], rule: Callable[[Anyone], Q]) -> None:
    """`rule`: the condition of the rows that a driver or customer may see; NONE where they see none.

    Call it in `AppConfig.ready()`.
    """
    _rules[model] = rule


def visible(user: Anyone, rows: QuerySet[Row]) -> QuerySet[Row]:
    """Those of `rows` the user may see: by the right to view their model all, those of its rule, or none."""
    meta = rows.model._meta
    allowed = reach(user, f"{meta.app_label}.{get_permission_codename('view', meta)}")
    if allowed is ALL:
        return rows
    rule = _rules.get(rows.model)
    return rows.filter(rule(user) if rule and allowed is OWN else NONE)
