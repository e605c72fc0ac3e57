"""From the bytes of a file to rows of text."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from orders.text import visible

# A day of a large depot is 500 rows and 60 KB; past these it is another file than meant.
MAX_BYTES = 5 * 1024 * 1024
MAX_ROWS = 20_000

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Windows' Big5: what Excel in Taiwan writes, with the characters that plain Big5 lacks.
BIG5 = "cp950"
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


class UnreadableSheet(ValueError):
    """Nothing of the file can be read; the message says why and what to do, in the reader's language."""


@dataclass(frozen=True, slots=True)
class Line:
    """One filled row; `number` as the spreadsheet shows it, the heading counted."""

    number: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Sheet:
    encoding: str
    heading: Line
    lines: list[Line]


def read(data: bytes, encoding: str = "", max_rows: int = MAX_ROWS) -> Sheet:
    """The filled rows of a CSV file (comma, semicolon or tab). Raises UnreadableSheet.

    Without `encoding`: what its mark says, else UTF-8, else Big5.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableSheet(_("The file is larger than %d MB; please split it.") % (MAX_BYTES // 1024**2))
    if data.startswith(WORKBOOKS):
        raise UnreadableSheet(_("This is an Excel workbook. In Excel, save it as “CSV UTF-8” and import that file."))
    text, encoding = _decoded(data, encoding)
    lines: list[Line] = []
    for line in _filled(text):
        if len(lines) > max_rows:
            raise UnreadableSheet(_("The file has more than %d rows; please split it.") % max_rows)
        lines.append(line)
    if not lines:
        raise UnreadableSheet(_("The file is empty."))
    return Sheet(encoding, lines[0], lines[1:])


def _decoded(data: bytes, encoding: str) -> tuple[str, str]:
    for candidate in _candidates(data, encoding):
        try:
            text = data.decode(candidate)
        except (LookupError, ValueError):  # no such encoding, or not in it
            continue
        if CONTROL.search(text.rstrip("\x1a")):
            break
        return visible(text.rstrip("\x1a")), candidate
    if encoding:
        raise UnreadableSheet(_("The file cannot be read as “%s”. Leave the encoding out to have it found.") % encoding)
    raise UnreadableSheet(_("This is no text in UTF-8 or Big5. Save it as “CSV UTF-8”, or name its encoding."))


def _candidates(data: bytes, encoding: str) -> list[str]:
    if encoding:
        return [BIG5 if encoding.lower().replace("-", "") == "big5" else encoding]
    marked = [name for mark, name in MARKS.items() if data.startswith(mark)]
    return marked or ["utf-8", BIG5]


def _filled(text: str) -> Iterator[Line]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    # Strict, because otherwise an open quotation mark swallows the orders behind it without a word.
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    number = 0
    try:
        for number, cells in enumerate(rows, 1):
            if any(cell.strip() for cell in cells):
                yield Line(number, cells)
    except csv.Error as error:
        detail = _('Row %d cannot be read: a quotation mark (") is missing or one too many. Nothing was imported.')
        raise UnreadableSheet(detail % (number + 1)) from error
