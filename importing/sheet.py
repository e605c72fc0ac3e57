"""From the bytes of a file to rows of text below their headings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from django.utils.translation import gettext as _

from importing import delimited, workbook
from importing.columns import find_heading
from importing.decoding import LOST, decode, inspected
from importing.report import Remark
from importing.table import MAX_BYTES, MAX_ROWS, Line, UnreadableSheet

__all__ = ["MAX_BYTES", "MAX_ROWS", "Line", "Sheet", "UnreadableSheet", "read"]

WORKBOOK = "workbook"


@dataclass(frozen=True, slots=True)
class Sheet:
    """`encoding`: of a text; of a workbook WORKBOOK. `notes`: what of the file was left out."""

    encoding: str
    heading: Line
    lines: list[Line]
    notes: list[Remark] = field(default_factory=list)


def read(data: bytes, encoding: str = "", max_rows: int = MAX_ROWS) -> Sheet:
    """The filled rows of a CSV file or of the first sheet of a workbook. Raises UnreadableSheet.

    A text without `encoding`: what its mark says, else UTF-8, else Big5.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableSheet(_("The file is larger than %d MB; please split it.") % (MAX_BYTES // 1024**2))
    most = max_rows + delimited.ROWS_LOOKED_AT
    if workbook.is_workbook(data):
        rows, notes, encoding = _of_workbook(data, most)
    else:
        rows, notes, encoding = _of_text(data, encoding, most)
    lines = [inspected(number, cells, encoding) for number, cells in rows]
    return _sheet([line for line in lines if line.text()], notes, encoding, max_rows)


Rows = Iterable[tuple[int, list[str] | str]]


def _of_workbook(data: bytes, most: int) -> tuple[Rows, list[Remark], str]:
    rows, name, others = workbook.rows(data, most)
    reason = _("Only the first sheet, “%s”, is read.") % name
    return rows, [Remark(0, "", reason, ", ".join(others))] if others else [], WORKBOOK


def _of_text(data: bytes, encoding: str, most: int) -> tuple[Rows, list[Remark], str]:
    text, encoding = decode(data, encoding)
    if text.lstrip()[:1] == "<":
        raise UnreadableSheet(_("This is a web page or XML. Open it in Excel, save it as .xlsx, and import that file."))
    delimiter, text = delimited.split(text)
    notes = [Remark(0, "", _("The line that names the separator is no order."), f"sep={delimiter}")]
    return islice(delimited.rows(text, delimiter), most + 1), notes if delimiter else [], encoding


def _sheet(lines: list[Line], notes: list[Remark], encoding: str, max_rows: int) -> Sheet:
    if not lines:
        raise UnreadableSheet(_("The file is empty."))
    place = find_heading(lines[: delimited.ROWS_LOOKED_AT])
    reason = _("Left out: it stands above the headings.")
    notes += [Remark(line.number, "", reason, line.text()) for line in lines[:place]]
    heading, rest = lines[place], lines[place + 1 :]
    if len(rest) > max_rows:
        raise UnreadableSheet(_("The file has more than %d rows; please split it.") % max_rows)
    titles = [title.replace(LOST, "") for title in heading.cells]
    return Sheet(encoding, Line(heading.number, titles), rest, notes)
