"""The page “History” of an order, a customer or a product: who changed what, from what to what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.admin.utils import display_for_field
from django.db.models import ForeignKey
from django.utils.translation import gettext_lazy as _

from orders.models import Source

if TYPE_CHECKING:
    from django.db.models import Model

MOST = 200
EMPTY = "–"


@dataclass(frozen=True, slots=True)
class Difference:
    label: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One change; of the first one it is not known what was before."""

    at: datetime
    who: str
    source: str
    is_first: bool
    differences: list[Difference] = field(default_factory=list)


def story(model: type[Model], pk: str) -> list[Entry]:
    """The newest MOST changes of one row, the newest first; one query."""
    historic = model.audit.model  # type: ignore[attr-defined]  # of orders.models.audit
    references = [column.name for column in historic.tracked_fields if isinstance(column, ForeignKey)]
    rows = historic.objects.filter(id=pk).select_related("history_user", *references).order_by("-history_id")
    entries, before, items = list[Entry](), None, ""
    for row in reversed(list(rows[: MOST + 1])):
        entries.append(entry(row, before, items))
        before, items = row, getattr(row, "items", "") or items
    return entries[::-1][:MOST]


def entry(row: Any, before: Any, items: str) -> Entry:
    user, source = row.history_user, row.history_change_reason
    who = (user.get_full_name() or user.get_username()) if user else EMPTY
    found = list(differences(row, before)) if before else []
    if before and (now := getattr(row, "items", "")) and now != items:
        found.append(Difference(str(_("items")), items or EMPTY, now))
    return Entry(row.history_date, who, str(dict(Source.choices).get(source, source)), before is None, found)


def differences(row: Any, before: Any) -> Iterator[Difference]:
    for column in row.tracked_fields:
        if getattr(row, column.attname) != getattr(before, column.attname):
            yield Difference(str(column.verbose_name), shown(before, column), shown(row, column))


def shown(row: Any, column: Any) -> Any:
    value = getattr(row, column.name)
    return str(value) if isinstance(column, ForeignKey) and value else display_for_field(value, column, EMPTY)
