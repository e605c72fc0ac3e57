"""Decodes text files, splits CSV into rows, and marks damaged cells.

Undecodable bytes stay in the text, so that only the rows that contain them are refused.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

from django.utils.translation import gettext as _

from importing.columns import WHOLE_ROW, SheetLine, UnreadableSheet, known_headings
from web.text import remove_invisible

# Byte order marks.
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Windows' Big5, which Excel in Taiwan writes. It has characters that plain Big5 lacks.
BIG5 = "cp950"
HKSCS = "big5hkscs"
NAMES = {BIG5: "Big5", HKSCS: "HKSCS", "utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16"}
# An undecodable byte is represented as UNREAD + byte: a lone surrogate, which decoded text never contains.
UNREAD = 0xDC00
DAMAGED_CHARACTER = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\udc00-\udcff]")
# A file is not text if more than one character in ONE_IN is damaged.
ONE_IN = 8
# A file with at most this many damaged characters counts as text, because in a small sheet they are a large share.
MAX_DAMAGED = 3
# Bytes that are decoded first, to reject files that are not text.
FIRST_BYTES = 64 * 1024
# Name of the codec error handler `_keep`.
ERROR_HANDLER = "importing.keep"
# The replacement character, which stands for a lost one.
LOST_CHARACTER = "\ufffd"
# Undecodable bytes, control characters except white space, the replacement character, and private-use characters.
SUSPECT_CHARACTERS = re.compile(
    "[\udc00-\udcff]+|[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]"
)
# What a spreadsheet shows instead of a value: `#N/A`, `#REF!`, `Err:502`, or `####` if a column is too narrow.
FAILED_VALUE = re.compile(
    r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!|FIELD!|DATA!|名稱\?)|Err:\d{3}|#{3,}"
)
DELIMITERS = ",;\t"
# Excel's line that names the delimiter. Excel does not count it as a row.
SEPARATOR = re.compile(r'\ufeff?\s*"?sep=([^"\w\s]|\t)"?[ \t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
# Headings are searched in this many rows, and the delimiter in this many characters at the start of the file.
ROWS_LOOKED_AT = 20
CHARACTERS_LOOKED_AT = 64 * 1024


def _keep(error: UnicodeError) -> tuple[str, int]:
    """Codec error handler that keeps undecodable bytes in the text, both bytes of a Big5 character together."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    end = error.end
    if error.encoding.startswith("big5") or error.encoding == BIG5:
        lead, trail = error.object[error.start], error.object[error.start + 1 : error.start + 2]
        if 0x81 <= lead <= 0xFE and trail and (0x40 <= trail[0] <= 0x7E or 0xA1 <= trail[0] <= 0xFE):
            end = error.start + 2
    return "".join(chr(UNREAD + byte) for byte in error.object[error.start : end]), end


codecs.register_error(ERROR_HANDLER, _keep)


def decode(data: bytes, encoding: str = "") -> tuple[str, str]:
    """The text and its encoding: `encoding` if given, else that of the byte order mark, else UTF-8 or Big5.

    Raises UnreadableSheet if it is not text, or not in the given encoding, or if there is no such encoding.
    """
    _decode(data[:FIRST_BYTES], encoding)  # cheap, and rejects most files that are not text
    return _decode(data, encoding)


def _decode(data: bytes, encoding: str) -> tuple[str, str]:
    marked = next((name for mark, name in MARKS.items() if data.startswith(mark)), "")
    chosen = (BIG5 if encoding.lower().replace("-", "") == "big5" else encoding) or marked
    try:
        text, chosen = (_decode_keeping_bytes(data, chosen), chosen) if chosen else _utf8_or_big5(data)
    except (LookupError, ValueError):  # there is no such encoding
        raise UnreadableSheet(_not_text(encoding)) from None
    if data.startswith(b"%PDF") or len(DAMAGED_CHARACTER.findall(text)) > max(MAX_DAMAGED, len(text) // ONE_IN):
        raise UnreadableSheet(_not_text(encoding))
    return text, chosen


def _not_text(encoding: str) -> str:
    if encoding:
        return _("The file cannot be read as “%s”. Please leave the encoding empty to detect it.") % encoding
    return _("The file is not text in UTF-8 or Big5. Please save it as “CSV UTF-8”, or choose its encoding.")


def _decode_keeping_bytes(data: bytes, encoding: str) -> str:
    """Decodes with the handler `_keep`. Raises LookupError or ValueError if the encoding does not exist."""
    return data.decode(encoding, ERROR_HANDLER).removeprefix("\ufeff").rstrip("\x1a")


def _utf8_or_big5(data: bytes) -> tuple[str, str]:
    """The text and its encoding. Prefers UTF-8 with few damaged bytes, because Big5 accepts almost any two bytes."""
    text = _decode_keeping_bytes(data, "utf-8")
    damaged = len(DAMAGED_CHARACTER.findall(text))
    if not damaged:
        return text, "utf-8"
    other = _decode_keeping_bytes(data, BIG5)
    foreign = sum(character > "\x7f" for character in text)
    if damaged <= len(DAMAGED_CHARACTER.findall(other)) or damaged * 4 < foreign:
        return text, "utf-8"
    return other, BIG5


def make_line(number: int, cells: list[str] | str, encoding: str) -> SheetLine:
    """A row with the faults of its damaged cells.

    Undecodable, control and private-use characters become LOST_CHARACTER. `cells` is one text if the row could not be
    split into cells.
    """
    if isinstance(cells, str):
        reason = _('A quotation mark (") is missing, or there is one too many. Please correct the row.')
        return SheetLine(
            number, [remove_invisible(SUSPECT_CHARACTERS.sub(LOST_CHARACTER, cells)).strip()], {WHOLE_ROW: reason}
        )
    faults = {place: fault for place, cell in enumerate(cells) if (fault := fault_of(cell, encoding))}
    return SheetLine(number, [remove_invisible(SUSPECT_CHARACTERS.sub(LOST_CHARACTER, cell)) for cell in cells], faults)


def fault_of(cell: str, encoding: str) -> str:
    """The reason why this cell is damaged; empty if it is not."""
    if FAILED_VALUE.fullmatch(cell.strip()):
        return _("This cell shows no value: its formula failed or the column is too narrow. Please correct the cell.")
    if (found := SUSPECT_CHARACTERS.search(cell)) is None:
        return ""
    suspect, place = found[0], found.start() + 1
    if suspect == LOST_CHARACTER:
        return _("Character %d was lost before the file was saved. Please type it again.") % place
    if UNREAD <= ord(suspect[0]) <= UNREAD + 0xFF:
        return _unread_text(bytes(ord(character) - UNREAD for character in suspect), place, encoding)
    values = {"place": place, "code": f"U+{ord(suspect):04X}"}
    if unicodedata.category(suspect) == "Co":
        return _("Character %(place)d (%(code)s) exists only on one computer. Please replace it.") % values
    return _("Character %(place)d (%(code)s) is an invisible control character. Please delete it.") % values


def _unread_text(unread: bytes, place: int, encoding: str) -> str:
    values = {"place": place, "bytes": unread.hex(" ").upper(), "encoding": NAMES.get(encoding.lower(), encoding)}
    reason = _("Character %(place)d cannot be read: %(encoding)s has no %(bytes)s.") % values
    if encoding != BIG5:
        return reason
    try:
        other = _("If the character is “%s”, choose the encoding HKSCS. Otherwise save the sheet as “CSV UTF-8”.")
        return f"{reason} {other % unread.decode(HKSCS)}"
    except UnicodeDecodeError:
        other = _(
            "This character may exist only on the computer that wrote the sheet. "
            "Please save the sheet there as “CSV UTF-8”."
        )
        return f"{reason} {other}"


def split_separator(text: str) -> tuple[str, str]:
    """The delimiter from a first line such as `sep=;` (empty if there is none), and the text after that line."""
    named = SEPARATOR.match(text)
    return (named[1], text[named.end() :]) if named else ("", text)


def csv_rows(text: str, delimiter: str = "") -> Iterator[tuple[int, list[str] | str]]:
    """Yields `(number, cells)` for each row that is not empty, or `(number, text)` if the row cannot be split.

    Numbers start at 1 and count empty rows too. A row whose quotation mark is never closed ends with its line.
    Otherwise it would take in all the following rows.
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
    """The delimiter that finds the most headings; if none does, the most frequent one in the first line."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=lambda delimiter: (_count_headings(text, delimiter), first.count(delimiter)))


def _count_headings(text: str, delimiter: str) -> int:
    """The highest number of headings in one row, if rows are split at this delimiter."""
    reader = csv.reader(io.StringIO(text[:CHARACTERS_LOOKED_AT], newline=""), delimiter=delimiter)
    try:
        return max((len(known_headings(cells)) for cells in islice(reader, ROWS_LOOKED_AT)), default=0)
    except csv.Error:
        return 0
