"""A sheet as rows of text, whatever kind of file it came from."""

from __future__ import annotations

from dataclasses import dataclass, field

from web.api.bodies import MOST_OF_FILE

# A day of a large depot is 500 rows and 60 KB; past these it is another file than meant.
MAX_BYTES = MOST_OF_FILE
MAX_ROWS = 20_000


class UnreadableSheet(ValueError):
    """Nothing of the file can be read; the message says why and what to do, in the reader's language."""


# The place of a fault that is not one cell's.
WHOLE_ROW = -1


@dataclass(frozen=True, slots=True)
class Line:
    """One filled row; `number` as the spreadsheet shows it, the heading counted.

    `faults`: why the cell at a place cannot be used, for each cell that holds a damaged character; at WHOLE_ROW why
    none of them can be.
    """

    number: int
    cells: list[str]
    faults: dict[int, str] = field(default_factory=dict)

    def text(self) -> str:
        """The filled cells, for a remark about the whole row."""
        return " ".join(cell.strip() for cell in self.cells if cell.strip())
