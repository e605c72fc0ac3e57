"""What became of a sheet: one value, shown by the command and the admin alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.translation import gettext as _

SHOWN = 60  # characters of a cell


class Mode(StrEnum):
    CHECK = "check"  # say what would happen
    GOOD = "good"  # import every row that can be understood
    ALL = "all"  # all rows or none


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to say of one row: its number in the spreadsheet, the column's heading, why, what the cell reads."""

    row: int
    column: str
    reason: str
    text: str = ""

    @property
    def shown(self) -> str:
        return self.text if len(self.text) <= SHOWN else self.text[: SHOWN - 1] + "…"


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
                "Checked only, nothing was changed: of %(rows)d rows %(created)d can be imported, "
                "%(known)d are known already, %(wrong)d are wrong."
            )
        elif self.withheld:
            said = _("Nothing was imported, because %(wrong)d of %(rows)d rows are wrong; %(known)d are known already.")
        else:
            said = _("Of %(rows)d rows %(created)d were imported, %(known)d were known already, %(wrong)d are wrong.")
        return said % counts

    def by_row(self) -> Report:
        """The same, problems and notes in the order of the rows."""
        for remarks in (self.problems, self.notes):
            remarks.sort(key=lambda remark: remark.row)
        return self
