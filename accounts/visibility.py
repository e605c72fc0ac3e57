"""The registry of rules that decide which rows are a user's own.

An app may register rules for models of apps that it depends on. Example: a driver may see the customers to deliver to.
`orders` knows that rule and registers it, and `customers` reads it here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.contrib.auth import get_permission_codename
from django.db.models import Model, Q, QuerySet

from accounts.roles import ALL, OWN, Anyone, reach

Row = TypeVar("Row", bound=Model)
NO_ROWS = Q(pk__in=())

_rules: dict[type[Model], Callable[[Anyone], Q]] = {}


def register(model: type[Model], rule: Callable[[Anyone], Q]) -> None:
    """Registers the rule of a model. Call it in `AppConfig.ready()`.

    `rule` returns the condition for the rows that a driver or customer may see; NO_ROWS for none.
    """
    _rules[model] = rule


def visible(user: Anyone, rows: QuerySet[Row]) -> QuerySet[Row]:
    """The rows that the user may view: all, those that match the rule of the model, or none."""
    meta = rows.model._meta
    allowed = reach(user, f"{meta.app_label}.{get_permission_codename('view', meta)}")
    if allowed is ALL:
        return rows
    rule = _rules.get(rows.model)
    return rows.filter(rule(user) if rule and allowed is OWN else NO_ROWS)
