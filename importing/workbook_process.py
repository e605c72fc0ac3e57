"""A separate process that reads a workbook from stdin and writes its first visible sheet to stdout.

A hostile or broken workbook can crash only this process (the library aborts when memory is short). `importing.sheet`
runs it. It imports neither Django nor this project.

Output (JSON): `{"sheet": name, "others": [names], "rows": [[row number, [cells]], …]}` with the filled rows, or
`{"error": "broken" | "large" | "empty"}`.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import zipfile
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

# Limits of this process, and the maximum total size of the unpacked files in a workbook's archive.
MEMORY_BYTES = 768 * 1024**2
CPU_SECONDS = 15
UNPACKED_BYTES = 200 * 1024**2
# Only this many columns, and this many characters of a cell, are read. The importer refuses cells of this length.
MAX_COLUMNS = 256
MAX_CHARACTERS = 1000
# How many characters the output may have, and how many merged ranges of cells are filled, at most.
OUTPUT_CHARACTERS = 40 * 1024**2
MAX_MERGED = 20_000


class WorkbookTooLarge(Exception):
    """The workbook, or the output, exceeds a limit of this module."""


def main(max_rows: int) -> None:
    limits = {resource.RLIMIT_AS: MEMORY_BYTES, resource.RLIMIT_CPU: CPU_SECONDS, resource.RLIMIT_CORE: 0}
    for limit, maximum in limits.items():
        with suppress(ValueError):  # macOS cannot limit RLIMIT_AS
            resource.setrlimit(limit, (maximum, maximum))
    try:
        output = json.dumps(first_sheet(sys.stdin.buffer.read(), max_rows))
        if len(output) > OUTPUT_CHARACTERS:
            raise WorkbookTooLarge
    except (WorkbookTooLarge, MemoryError):
        output = '{"error": "large"}'
    except BaseException:  # the library's panics do not derive from Exception
        output = '{"error": "broken"}'
    sys.stdout.write(output)


def first_sheet(data: bytes, max_rows: int) -> dict[str, Any]:
    """The output, with at most `max_rows` + 1 rows: from one row too many the importer sees that there are more.

    Raises WorkbookTooLarge.
    """
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(keep_error_texts(data)))
    visible = [
        sheet.name
        for sheet in workbook.sheets_metadata
        if sheet.typ is SheetTypeEnum.WorkSheet and sheet.visible is SheetVisibleEnum.Visible
    ]
    if not visible:
        return {"error": "empty"}
    rows = enumerate(map(trim, rows_of(workbook.get_sheet_by_name(visible[0]))), 1)
    filled = (row for row in rows if row[1])
    return {"sheet": visible[0], "others": visible[1:], "rows": list(islice(filled, max_rows + 1))}


def keep_error_texts(data: bytes) -> bytes:
    """Turns the results of failed formulas (`#N/A`) in an .xlsx into text. The library would leave them out.

    Returns other workbooks unchanged. Raises WorkbookTooLarge if the unpacked files exceed UNPACKED_BYTES.
    """
    if not data.startswith(b"PK"):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > UNPACKED_BYTES:
            raise WorkbookTooLarge
        sheets = {entry: archive.read(entry) for entry in entries if entry.filename.startswith("xl/worksheets/")}
        if not any(b' t="e"' in content for content in sheets.values()):
            return data
        changed = io.BytesIO()
        with zipfile.ZipFile(changed, "w") as copy:
            for entry in entries:
                content = sheets.get(entry) or archive.read(entry)
                copy.writestr(entry.filename, content.replace(b' t="e"', b' t="str"') if entry in sheets else content)
    return changed.getvalue()


def rows_of(sheet: CalamineSheet) -> list[list[str]]:
    """All rows, starting at the first filled column. The value of a cell merged downwards is copied to all its rows."""
    rows = [[cell_text(value) for value in values[:MAX_COLUMNS]] for values in sheet.iter_rows()]
    left = sheet.start[1] if sheet.start else 0
    for (first, column), (last, _column) in (sheet.merged_cell_ranges or [])[:MAX_MERGED]:
        place = column - left
        for cells in rows[first + 1 : last + 1]:
            if 0 <= place < len(cells) and not cells[place]:
                cells[place] = rows[first][place]
    return rows


def trim(cells: list[str]) -> list[str]:
    """Removes empty cells at the end of a row, so that the headings are as wide as the table."""
    while cells and not cells[-1].strip():
        cells.pop()
    return cells


def cell_text(value: object) -> str:
    """The value of a cell as text: numbers without their format, dates in ISO format. Cut after MAX_CHARACTERS."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < 1e15
        return str(int(value)) if whole else f"{value:.15g}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value)[:MAX_CHARACTERS]


if __name__ == "__main__":
    main(int(sys.argv[1]))
