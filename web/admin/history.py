"""The page “History” of an order, a customer or a product: who changed what, from what to what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.admin.utils import display_for_field
from django.db.models import DateField, ForeignKey
from django.utils.translation import gettext_lazy as _

from web.actors import Source

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
    """One change; before the first one there was nothing."""

    at: datetime
    who: str
    source: str
    is_first: bool
    differences: list[Difference] = field(default_factory=list)


def story(model: type[Model], pk: str) -> list[Entry]:
    """The newest MOST changes of one row, the newest first; one query, and one for each table that a change left."""
    historic = model.audit.model  # type: ignore[attr-defined]  # of web.audit
    references = [column for column in historic.tracked_fields if isinstance(column, ForeignKey)]
    rows = historic.objects.filter(id=pk).select_related("history_user", *(column.name for column in references))
    newest = list(rows.order_by("-history_id")[:MOST])
    left = {column.attname: referred(column, newest) for column in references}
    return [entry(row, left) for row in newest]


def referred(column: Any, rows: list[Any]) -> dict[Any, Any]:
    """What the column named before these changes, by key."""
    keys = {row.before.get(column.attname) for row in rows} - {None}
    found: dict[Any, Any] = column.related_model._base_manager.in_bulk(keys)
    return found


def entry(row: Any, left: dict[str, dict[Any, Any]]) -> Entry:
    user, source = row.history_user, row.history_change_reason
    who = (user.get_full_name() or user.get_username()) if user else EMPTY
    is_first, found = row.history_type == "+", list(differences(row, left))
    if not is_first and (now := getattr(row, "items", "")) and now != (before := row.before.get("items", "")):
        found.append(Difference(str(_("items")), before or EMPTY, now))
    return Entry(row.history_date, who, str(dict(Source.choices).get(source, source)), is_first, found)


def differences(row: Any, left: dict[str, dict[Any, Any]]) -> Iterator[Difference]:
    """By what the save itself found: what the row before says may be older (SQL, another release) or missing."""
    for column in row.tracked_fields:
        if (name := column.attname) not in row.before:
            continue
        before = row.before[name]
        if isinstance(column, DateField):  # which is JSON's one type less; of moments too
            before = column.to_python(before)
        if before == getattr(row, name):
            continue
        if name in left:
            before = left[name].get(before)
        yield Difference(str(column.verbose_name), shown(before, column), shown(getattr(row, column.name), column))


def shown(value: Any, column: Any) -> Any:
    return str(value) if isinstance(column, ForeignKey) and value else display_for_field(value, column, EMPTY)
