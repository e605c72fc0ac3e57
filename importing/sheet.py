"""Reads the bytes of a file into rows of text, and finds the heading.

Workbooks (.xlsx, .xls, .ods) are recognised by their content and read in a separate process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from django.utils.translation import gettext as _

from importing.columns import SheetLine, UnreadableSheet, find_heading
from importing.decoding import LOST_CHARACTER, ROWS_LOOKED_AT, csv_rows, decode, make_line, split_separator
from importing.report import Remark
from web.api.bodies import MAX_FILE_BYTES

# The maximum size of a file in bytes, and its maximum number of rows. A large depot has 500 rows (60 KB) a day, so that
# a file above these limits is probably the wrong one.
MAX_BYTES = MAX_FILE_BYTES
MAX_ROWS = 20_000
# The `encoding` of a sheet that was read from a workbook.
WORKBOOK = "workbook"
# First bytes of zip archives (.xlsx, .ods), and of Microsoft's older container (.xls, and files with a password).
MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
PROGRAM = Path(__file__).with_name("workbook_process.py")
# Much longer than the CPU limit of the process itself, so that an import also succeeds on a busy machine.
TIMEOUT_SECONDS = 60
# Each server process runs only one such process at a time, because it may use much memory.
_one_at_a_time = threading.Lock()

Rows = Iterable[tuple[int, list[str] | str]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A parsed sheet. `encoding` is WORKBOOK for workbooks. `notes` lists what was left out of the file."""

    encoding: str
    heading: SheetLine
    lines: list[SheetLine]
    notes: list[Remark]


def read_sheet(data: bytes, encoding: str = "", max_rows: int = MAX_ROWS) -> Sheet:
    """The filled rows of a CSV file, or of the first visible sheet of a workbook. Raises UnreadableSheet.

    If `encoding` is empty, it is detected: by the byte order mark, else UTF-8, else Big5.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableSheet(_("The file is larger than %d MB. Please split it.") % (MAX_BYTES // 1024**2))
    limit = max_rows + ROWS_LOOKED_AT
    rows, notes, encoding = _read_workbook(data, limit) if data.startswith(MARKS) else _read_text(data, encoding, limit)
    lines = [line for number, cells in rows if (line := make_line(number, cells, encoding)).text()]
    if not lines:
        raise UnreadableSheet(
            _(
                "The file or its first visible sheet is empty. Please choose another file, or put the orders on the "
                "first sheet."
            )
        )
    place = find_heading(lines[:ROWS_LOOKED_AT])
    reason = _("Skipped: above the headings.")
    notes += [Remark(line.number, "", reason, line.text()) for line in lines[:place]]
    heading, rest = lines[place], lines[place + 1 :]
    if len(rest) > max_rows:
        raise UnreadableSheet(_("The file has more than %d rows. Please split it.") % max_rows)
    titles = [title.replace(LOST_CHARACTER, "") for title in heading.cells]
    return Sheet(encoding, SheetLine(heading.number, titles), rest, notes)


def _read_text(data: bytes, encoding: str, max_rows: int) -> tuple[Rows, list[Remark], str]:
    text, encoding = decode(data, encoding)
    if text.lstrip()[:1] == "<":
        raise UnreadableSheet(_("This is a web page or XML. Open it in Excel, save it as .xlsx and import that file."))
    delimiter, text = split_separator(text)
    notes = [Remark(0, "", _("This line only sets the separator. It is not an order."), f"sep={delimiter}")]
    return islice(csv_rows(text, delimiter), max_rows + 1), notes if delimiter else [], encoding


def _read_workbook(data: bytes, max_rows: int) -> tuple[Rows, list[Remark], str]:
    """At most `max_rows` + 1 filled rows of the first visible sheet, notes, and WORKBOOK. Raises UnreadableSheet."""
    command = [sys.executable, "-I", str(PROGRAM), str(max_rows)]
    try:
        with _one_at_a_time:
            process = subprocess.run(  # noqa: S603
                command, input=data, capture_output=True, timeout=TIMEOUT_SECONDS, check=True
            )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise UnreadableSheet(_unreadable_reason("large")) from error
    found = json.loads(process.stdout)
    if "error" in found:
        raise UnreadableSheet(_unreadable_reason(found["error"]))
    only = Remark(0, "", _("Only the first visible sheet, “%s”, is read.") % found["sheet"], ", ".join(found["others"]))
    return found["rows"], [only] if found["others"] else [], WORKBOOK


def _unreadable_reason(error: str) -> str:
    if error == "large":
        return _("The workbook is too large or damaged. Copy the order rows into a new workbook and import that.")
    if error == "empty":
        return _("The workbook has no visible sheet. Please unhide one.")
    return _(
        "This file is no workbook, is damaged, or has a password. Open it, save it as .xlsx without a password or as "
        "“CSV UTF-8”, and import that."
    )
