"""CSV as spreadsheets write it: comma, semicolon or tab."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from importing.columns import known_headings

DELIMITERS = ",;\t"
# Excel's own line for what stands between the cells; it is no row of the sheet, and Excel does not count it.
SEPARATOR = re.compile(r'\ufeff?\s*"?sep=([^"\w\s]|\t)"?[ \t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
# Headings stand within the first rows.
ROWS_LOOKED_AT = 20
CHARACTERS_LOOKED_AT = 64 * 1024


def split(text: str) -> tuple[str, str]:
    """The delimiter that a first line `sep=;` names, else an empty text; and the text behind that line."""
    named = SEPARATOR.match(text)
    return (named[1], text[named.end() :]) if named else ("", text)


def rows(text: str, delimiter: str = "") -> Iterator[tuple[int, list[str] | str]]:
    """Each row that holds anything, with its number from 1 on: its cells, or its text where they cannot be told apart.

    An open quotation mark would swallow the rows behind it. So its row ends where its line does.
    """
    delimiter = delimiter or _delimiter(text)
    lines = list(io.StringIO(text, newline=""))
    start = number = 0
    while start < len(lines):
        reader = csv.reader((lines[place] for place in range(start, len(lines))), delimiter=delimiter, strict=True)
        begin = start
        try:
            for cells in reader:
                start, number = begin + reader.line_num, number + 1
                if any(cell.strip() for cell in cells):
                    yield number, cells
        except csv.Error:
            number += 1
            yield number, lines[start]
            start += 1


def _delimiter(text: str) -> str:
    """The one that finds most headings; without headings the most frequent of the first line."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=lambda delimiter: (_headings(text, delimiter), first.count(delimiter)))


def _headings(text: str, delimiter: str) -> int:
    """How many headings a row has at most, read with this delimiter."""
    reader = csv.reader(io.StringIO(text[:CHARACTERS_LOOKED_AT], newline=""), delimiter=delimiter)
    try:
        return max((len(known_headings(cells)) for cells in islice(reader, ROWS_LOOKED_AT)), default=0)
    except csv.Error:
        return 0
