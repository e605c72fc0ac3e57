"""The result of an import, shown by the command and the admin."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.translation import gettext as _

SHOWN = 60  # characters of a cell
# A reason is reported once for all its rows if it concerns at least MANY rows and half of the sheet, or at least ALIKE
# rows with the same cell text.
MANY = 10
ALIKE = 3
EXAMPLES = 5
MAX_PLACES = 50
FIGURES = re.compile(r"\d[\d-]*")


class Mode(StrEnum):
    CHECK = "check"  # report what an import would do
    GOOD = "good"  # import every valid row
    ALL = "all"  # import all rows or none


@dataclass(frozen=True, slots=True)
class Remark:
    """A problem or note about one row. `column` is the heading, `text` the cell's content. Row 0 is the whole file."""

    row: int
    column: str
    reason: str
    text: str = ""

    @property
    def shown(self) -> str:
        return self.text if len(self.text) <= SHOWN else self.text[: SHOWN - 1] + "…"


@dataclass(frozen=True, slots=True)
class Finding:
    """A remark about one or more rows, with all their numbers and the distinct cell texts."""

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
        return " / ".join([*self.texts[:EXAMPLES], *(["…"] if len(self.texts) > EXAMPLES else [])])


def findings(remarks: list[Remark], rows: int) -> list[Finding]:
    """Merges remarks that many of the sheet's `rows` rows share, sorted by first row."""
    found: list[Finding] = []
    remarks = sorted(remarks, key=lambda remark: remark.row)
    for alike in _grouped(remarks, lambda remark: (remark.column, _general(remark))):
        if len(alike) >= max(MANY, rows / 2):
            found.append(_finding(alike))
            continue
        for same in _grouped(alike, lambda remark: remark.shown):
            found += [_finding(same)] if len(same) >= ALIKE else [_finding([remark]) for remark in same]
    return sorted(found, key=lambda finding: finding.rows[0])


def _grouped(remarks: list[Remark], key: Callable[[Remark], object]) -> Iterable[list[Remark]]:
    groups: dict[object, list[Remark]] = defaultdict(list)
    for remark in remarks:
        groups[key(remark)].append(remark)
    return groups.values()


def _finding(remarks: list[Remark]) -> Finding:
    texts = list(dict.fromkeys(remark.shown for remark in remarks if remark.text))
    reasons = {remark.reason for remark in remarks}
    reason = remarks[0].reason if len(reasons) == 1 else _general(remarks[0])
    return Finding([remark.row for remark in remarks], remarks[0].column, reason, texts)


def _general(remark: Remark) -> str:
    """The reason without details of its row: the quoted cell and numbers."""
    reason = remark.reason
    for quoted in (f"“{remark.text}”", f"「{remark.text}」"):
        reason = reason.replace(quoted, "…")
    return FIGURES.sub("…", reason)


def _runs(rows: Iterable[int]) -> list[tuple[int, int]]:
    """Groups consecutive numbers into (first, last)."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and row in (runs[-1][1], runs[-1][1] + 1):
            runs[-1] = runs[-1][0], row
        else:
            runs.append((row, row))
    return runs


@dataclass(frozen=True, slots=True)
class Created:
    """An order created from a row. A check has no order number."""

    row: int
    order_number: str = ""


@dataclass(slots=True)
class Report:
    mode: Mode
    encoding: str
    rows: int = 0  # rows with orders
    created: list[Created] = field(default_factory=list)
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
        """One sentence for people."""
        counts = {
            "rows": self.rows,
            "created": len(self.created),
            "known": len(self.known),
            "wrong": len({remark.row for remark in self.problems}),
        }
        if self.mode is Mode.CHECK:
            said = _(
                "Checked only; nothing was changed. Of %(rows)d rows, %(created)d can be imported, %(known)d were "
                "imported before, %(wrong)d are wrong."
            )
        elif self.withheld:
            said = _(
                "Nothing was imported, because %(wrong)d of %(rows)d rows are wrong; %(known)d were imported before."
            )
        else:
            said = _(
                "Of %(rows)d rows, %(created)d were imported now, %(known)d were imported before, %(wrong)d are wrong."
            )
        return said % counts
