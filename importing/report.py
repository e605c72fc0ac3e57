"""What became of a sheet: one value, shown by the command and the admin alike."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.translation import gettext as _

SHOWN = 60  # characters of a cell
# From so many rows on a reason is given once: where it is that of most rows, or where the cells read alike.
MANY = 10
ALIKE = 3
EXAMPLES = 5
MOST_PLACES = 50
FIGURES = re.compile(r"\d[\d-]*")


class Mode(StrEnum):
    CHECK = "check"  # say what would happen
    GOOD = "good"  # import every row that can be understood
    ALL = "all"  # all rows or none


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to say of one row: its number in the spreadsheet, the column's heading, why, what the cell reads.

    Row 0 is the file as a whole.
    """

    row: int
    column: str
    reason: str
    text: str = ""

    @property
    def shown(self) -> str:
        return self.text if len(self.text) <= SHOWN else self.text[: SHOWN - 1] + "…"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said once of one row or of many: as a remark, with all rows and examples of what cells read."""

    rows: list[int]
    column: str
    reason: str
    texts: list[str]

    @property
    def where(self) -> str:
        """`3, 5–9`; empty: the file as a whole."""
        shown = [f"{first}–{last}" if last > first else str(first) for first, last in _runs(self.rows) if last]
        return ", ".join([*shown[:MOST_PLACES], *(["…"] if len(shown) > MOST_PLACES else [])])

    @property
    def shown(self) -> str:
        return " / ".join([*self.texts[:EXAMPLES], *(["…"] if len(self.texts) > EXAMPLES else [])])


def findings(remarks: list[Remark], rows: int) -> list[Finding]:
    """Remarks with what many of `rows` rows have in common said once, in the order of the first row of each."""
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
    """The reason without what only this row says: its own cell in quotation marks, and numbers."""
    reason = remark.reason
    for quoted in (f"“{remark.text}”", f"「{remark.text}」"):
        reason = reason.replace(quoted, "…")
    return FIGURES.sub("…", reason)


def _runs(rows: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers that follow each other, as first and last."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and row in (runs[-1][1], runs[-1][1] + 1):
            runs[-1] = runs[-1][0], row
        else:
            runs.append((row, row))
    return runs


@dataclass(frozen=True, slots=True)
class Created:
    """An order made of a row; without a number where it would have been made."""

    row: int
    order_number: str = ""


@dataclass(slots=True)
class Report:
    mode: Mode
    encoding: str
    rows: int = 0  # those of orders
    created: list[Created] = field(default_factory=list)
    known: list[int] = field(default_factory=list)  # rows imported before
    problems: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)

    @property
    def withheld(self) -> bool:
        """Nothing was imported because some rows were wrong."""
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
