"""The result of an import, shown by the command and the admin."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.translation import gettext as _

# How many characters of a cell a report shows at most.
MAX_SHOWN = 60
# A reason is reported once for all its rows if it concerns at least MIN_ROWS rows and half of the sheet, or at least
# MIN_SAME_CELLS rows with the same cell text.
MIN_ROWS = 10
MIN_SAME_CELLS = 3
# How many cell texts, and how many row numbers or ranges of rows (`5–9`), a finding shows at most.
MAX_EXAMPLES = 5
MAX_PLACES = 50
# Row numbers, order numbers and other figures in a reason.
FIGURES = re.compile(r"\d[\d-]*")


class Mode(StrEnum):
    CHECK = "check"  # changes nothing, but reports what an import would do
    GOOD = "good"  # imports every valid row
    ALL = "all"  # imports all rows, or none if one is invalid


@dataclass(frozen=True, slots=True)
class Remark:
    """A problem or note about one row, or about the whole file (row 0). `column` is the heading, `text` the cell."""

    row: int
    column: str
    reason: str
    text: str = ""

    @property
    def shown(self) -> str:
        return self.text if len(self.text) <= MAX_SHOWN else self.text[: MAX_SHOWN - 1] + "…"


@dataclass(frozen=True, slots=True)
class Finding:
    """A remark about one or more rows, with the numbers of these rows and their distinct cell texts."""

    rows: list[int]
    column: str
    reason: str
    texts: list[str]

    @property
    def where(self) -> str:
        """Row numbers such as `3, 5–9`; empty for the whole file."""
        shown = [f"{first}–{last}" if last > first else str(first) for first, last in _runs(self.rows) if last]
        return ", ".join([*shown[:MAX_PLACES], *(["…"] if len(shown) > MAX_PLACES else [])])

    @property
    def shown(self) -> str:
        return " / ".join([*self.texts[:MAX_EXAMPLES], *(["…"] if len(self.texts) > MAX_EXAMPLES else [])])


def findings(remarks: list[Remark], rows: int) -> list[Finding]:
    """Merges remarks with the same reason if many rows have it. Sorted by first row.

    `rows` is the number of rows of the sheet.
    """
    found: list[Finding] = []
    remarks = sorted(remarks, key=lambda remark: remark.row)
    for alike in _group(remarks, lambda remark: (remark.column, _general_reason(remark))):
        if len(alike) >= max(MIN_ROWS, rows / 2):
            found.append(_finding(alike))
            continue
        for same in _group(alike, lambda remark: remark.shown):
            found += [_finding(same)] if len(same) >= MIN_SAME_CELLS else [_finding([remark]) for remark in same]
    return sorted(found, key=lambda finding: finding.rows[0])


def _group(remarks: list[Remark], key: Callable[[Remark], object]) -> Iterable[list[Remark]]:
    groups: dict[object, list[Remark]] = defaultdict(list)
    for remark in remarks:
        groups[key(remark)].append(remark)
    return groups.values()


def _finding(remarks: list[Remark]) -> Finding:
    texts = list(dict.fromkeys(remark.shown for remark in remarks if remark.text))
    reasons = {remark.reason for remark in remarks}
    reason = remarks[0].reason if len(reasons) == 1 else _general_reason(remarks[0])
    return Finding([remark.row for remark in remarks], remarks[0].column, reason, texts)


def _general_reason(remark: Remark) -> str:
    """The reason without details of the row: `…` replaces the quoted cell and all figures."""
    reason = remark.reason
    for quoted in (f"“{remark.text}”", f"「{remark.text}」"):
        reason = reason.replace(quoted, "…")
    return FIGURES.sub("…", reason)


def _runs(rows: Iterable[int]) -> list[tuple[int, int]]:
    """Joins consecutive numbers to pairs (first, last)."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and row in (runs[-1][1], runs[-1][1] + 1):
            runs[-1] = runs[-1][0], row
        else:
            runs.append((row, row))
    return runs


@dataclass(frozen=True, slots=True)
class CreatedOrder:
    """An order that was created from a row. In a check one that could be, without `order_number`."""

    row: int
    order_number: str = ""


@dataclass(slots=True)
class Report:
    mode: Mode
    encoding: str
    rows: int = 0  # rows with orders
    created: list[CreatedOrder] = field(default_factory=list)
    known: list[int] = field(default_factory=list)  # rows imported before
    problems: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)

    @property
    def withheld(self) -> bool:
        """Whether nothing was imported because some rows are invalid."""
        return self.mode is Mode.ALL and bool(self.problems)

    def found_problems(self) -> list[Finding]:
        return findings(self.problems, self.rows)

    def found_notes(self) -> list[Finding]:
        return findings(self.notes, self.rows)

    def summary(self) -> str:
        """The numbers of rows, imported or refused, as text for people."""
        counts = {
            "rows": self.rows,
            "created": len(self.created),
            "known": len(self.known),
            "wrong": len({remark.row for remark in self.problems}),
        }
        if self.mode is Mode.CHECK:
            text = _(
                "Checked only; nothing was changed. Of %(rows)d rows, %(created)d can be imported, %(known)d were "
                "imported before, %(wrong)d are wrong."
            )
        elif self.withheld:
            text = _(
                "Nothing was imported, because %(wrong)d of %(rows)d rows are wrong; %(known)d were imported before."
            )
        else:
            text = _(
                "Of %(rows)d rows, %(created)d were imported now, %(known)d were imported before, %(wrong)d are wrong."
            )
        return text % counts
