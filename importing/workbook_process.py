"""A process of its own that reads one workbook from stdin and writes its first visible sheet to stdout.

A hostile or broken workbook can end this process (the library aborts where memory is short) and nothing else.
Run by `importing.workbook`; it imports neither Django nor this project.

Output, one JSON a line: `{"sheet": name, "others": [names]}`, then `[row number, [cells]]` for each filled row; or
`{"error": "broken" | "large" | "empty"}`, perhaps after some rows.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import Any

from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

MEMORY_BYTES = 768 * 1024**2
CPU_SECONDS = 15
UNPACKED_BYTES = 200 * 1024**2
# Cells to the right of these are no orders; characters of a cell beyond these are refused anyway.
MOST_COLUMNS = 256
MOST_CHARACTERS = 1000
OUTPUT_CHARACTERS = 40 * 1024**2
MOST_MERGED = 20_000


class TooLarge(Exception):
    """More than a sheet of orders can hold."""


def main(most_rows: int) -> None:
    limits = {resource.RLIMIT_AS: MEMORY_BYTES, resource.RLIMIT_CPU: CPU_SECONDS, resource.RLIMIT_CORE: 0}
    for limit, most in limits.items():
        with suppress(ValueError):  # macOS cannot limit RLIMIT_AS
            resource.setrlimit(limit, (most, most))
    try:
        write_sheet(sys.stdin.buffer.read(), most_rows)
    except (TooLarge, MemoryError):
        write({"error": "large"})
    except BaseException:  # the library's panics are no Exception
        write({"error": "broken"})


def write_sheet(data: bytes, most_rows: int) -> None:
    workbook = CalamineWorkbook.from_object(io.BytesIO(prepared(data)))
    visible = [
        sheet.name
        for sheet in workbook.sheets_metadata
        if sheet.typ is SheetTypeEnum.WorkSheet and sheet.visible is SheetVisibleEnum.Visible
    ]
    if not visible:
        write({"error": "empty"})
        return
    write({"sheet": visible[0], "others": visible[1:]})
    written = 0
    for count, row in enumerate(filled(workbook.get_sheet_by_name(visible[0]))):
        written += write(row)
        if written > OUTPUT_CHARACTERS:
            raise TooLarge
        if count >= most_rows:  # one more than allowed: the reader says so
            return


def write(found: Any) -> int:
    """How many characters it took."""
    return sys.stdout.write(json.dumps(found, ensure_ascii=True) + "\n")


def prepared(data: bytes) -> bytes:
    """The workbook, its failed formulas as the text that a spreadsheet shows (`#N/A`): the library leaves them out.

    Raises TooLarge where it is far larger unpacked than packed.
    """
    if not data.startswith(b"PK"):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > UNPACKED_BYTES:
            raise TooLarge
        sheets = {entry: archive.read(entry) for entry in entries if entry.filename.startswith("xl/worksheets/")}
        if not any(b' t="e"' in content for content in sheets.values()):
            return data
        changed = io.BytesIO()
        with zipfile.ZipFile(changed, "w") as copy:
            for entry in entries:
                content = sheets.get(entry) or archive.read(entry)
                copy.writestr(entry.filename, content.replace(b' t="e"', b' t="str"') if entry in sheets else content)
    return changed.getvalue()


def filled(sheet: CalamineSheet) -> Iterator[tuple[int, list[str]]]:
    """Each row that holds anything, with its number. A cell merged downwards is shown in each of its rows."""
    left = sheet.start[1] if sheet.start else 0  # rows begin at the first filled column
    merged = merged_downwards(sheet, left)
    carried: dict[int, tuple[str, int]] = {}  # column: text, and the last row it is for
    for index, values in enumerate(sheet.iter_rows()):
        cells = [shown(value) for value in values[:MOST_COLUMNS]]
        for column, (text, last) in list(carried.items()):
            if index > last:
                del carried[column]
            elif column < len(cells) and not cells[column]:
                cells[column] = text
        for column, last in merged.get(index, ()):
            if column < len(cells):
                carried[column] = (cells[column], last)
        while cells and not cells[-1].strip():  # so that the headings are as wide as the table
            cells.pop()
        if cells:
            yield index + 1, cells


def merged_downwards(sheet: CalamineSheet, left: int) -> dict[int, list[tuple[int, int]]]:
    """First row: column and last row, counted from 0; columns from `left` on, as the rows have them."""
    found: dict[int, list[tuple[int, int]]] = {}
    for (first, column), (last, _column) in (sheet.merged_cell_ranges or [])[:MOST_MERGED]:
        if last > first and column >= left:
            found.setdefault(first, []).append((column - left, last))
    return found


def shown(value: object) -> str:
    """A cell as people see it, but for days, which are always written in full."""
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
    return str(value)[:MOST_CHARACTERS]


if __name__ == "__main__":
    main(int(sys.argv[1]))
