"""CSV as spreadsheets write it: comma, semicolon or tab."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from django.utils.translation import gettext as _

from orders.importing.columns import known_headings
from orders.importing.table import UnreadableSheet

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


def rows(text: str, delimiter: str = "") -> Iterator[tuple[int, list[str]]]:
    """Each row that holds anything, with its number from 1 on. Raises UnreadableSheet."""
    # Strict, because otherwise an open quotation mark swallows the orders behind it without a word.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or _delimiter(text), strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, 1):
            if any(cell.strip() for cell in cells):
                yield number, cells
    except csv.Error as error:
        detail = _('Row %d cannot be read: a quotation mark (") is missing or one too many. Nothing was imported.')
        raise UnreadableSheet(detail % (number + 1)) from error


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
