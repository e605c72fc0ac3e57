"""From bytes to text, to the rows of a CSV file as spreadsheets write it, and to rows whose damaged cells are named.

A byte that means nothing stays in the text, so that only its own row is refused.
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

from importing.columns import WHOLE_ROW, Line, UnreadableSheet, known_headings
from web.text import visible

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Windows' Big5: what Excel in Taiwan writes, with the characters that plain Big5 lacks.
BIG5 = "cp950"
HKSCS = "big5hkscs"
NAMES = {BIG5: "Big5", HKSCS: "HKSCS", "utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16"}
# An undecodable byte stands in the text as UNREAD + byte: a lone surrogate, which no decoded text contains.
UNREAD = 0xDC00
DAMAGED = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\udc00-\udcff]")
# One damaged character in so many, and the file is no text.
ONE_IN = 8
# So many are never too many: a small sheet may have them.
FEW = 3
BEGINNING = 64 * 1024
KEEP = "importing.keep"
LOST = "\ufffd"
# Bytes that mean nothing, controls but for white space, the mark of a character lost before, and private use.
SUSPECT = re.compile("[\udc00-\udcff]+|[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]")
# What a spreadsheet shows where it has no value: `#N/A`, `#REF!`, `Err:502`; `####` where a column is too narrow.
FAILED = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!|FIELD!|DATA!|名稱\?)|Err:\d{3}|#{3,}")
DELIMITERS = ",;\t"
# Excel's own line for what stands between the cells; it is no row of the sheet, and Excel does not count it.
SEPARATOR = re.compile(r'\ufeff?\s*"?sep=([^"\w\s]|\t)"?[ \t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
# Headings stand within the first rows.
ROWS_LOOKED_AT = 20
CHARACTERS_LOOKED_AT = 64 * 1024


def _keep(error: UnicodeError) -> tuple[str, int]:
    """Error handler of codecs: keeps the bytes. The two bytes of one character of Big5 stay together."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    end = error.end
    if error.encoding.startswith("big5") or error.encoding == BIG5:
        lead, trail = error.object[error.start], error.object[error.start + 1 : error.start + 2]
        if 0x81 <= lead <= 0xFE and trail and (0x40 <= trail[0] <= 0x7E or 0xA1 <= trail[0] <= 0xFE):
            end = error.start + 2
    return "".join(chr(UNREAD + byte) for byte in error.object[error.start : end]), end


codecs.register_error(KEEP, _keep)


def decode(data: bytes, encoding: str = "") -> tuple[str, str]:
    """The text and its encoding: the one named, else what its mark says, else UTF-8 or Big5.

    Raises UnreadableSheet where it is no text, or not in the encoding named.
    """
    _decoded(data[:BEGINNING], encoding)  # costs little, and shows what is no text
    return _decoded(data, encoding)


def _decoded(data: bytes, encoding: str) -> tuple[str, str]:
    marked = next((name for mark, name in MARKS.items() if data.startswith(mark)), "")
    chosen = (BIG5 if encoding.lower().replace("-", "") == "big5" else encoding) or marked
    try:
        text, chosen = (_kept(data, chosen), chosen) if chosen else _utf8_or_big5(data)
    except (LookupError, ValueError):  # there is no such encoding
        raise UnreadableSheet(_why_not(encoding)) from None
    if data.startswith(b"%PDF") or len(DAMAGED.findall(text)) > max(FEW, len(text) // ONE_IN):
        raise UnreadableSheet(_why_not(encoding))
    return text, chosen


def _why_not(encoding: str) -> str:
    if encoding:
        return _("The file cannot be read as “%s”. Leave the encoding empty to detect it.") % encoding
    return _("This is not text in UTF-8 or Big5. Save it as “CSV UTF-8”, or choose its encoding.")


def _kept(data: bytes, encoding: str) -> str:
    """The text, with what cannot be decoded kept in it. Raises LookupError or ValueError without such an encoding."""
    return data.decode(encoding, KEEP).removeprefix("\ufeff").rstrip("\x1a")


def _utf8_or_big5(data: bytes) -> tuple[str, str]:
    """Few damaged bytes among many characters are still UTF-8: Big5 finds a meaning for almost any two bytes."""
    text = _kept(data, "utf-8")
    damaged = len(DAMAGED.findall(text))
    if not damaged:
        return text, "utf-8"
    other = _kept(data, BIG5)
    foreign = sum(character > "\x7f" for character in text)
    if damaged <= len(DAMAGED.findall(other)) or damaged * 4 < foreign:
        return text, "utf-8"
    return other, BIG5


def inspected(number: int, cells: list[str] | str, encoding: str) -> Line:
    """The row with its damaged cells named, and nothing in it that cannot be seen or stored.

    `cells`: a text where the row could not be divided into cells.
    """
    if isinstance(cells, str):
        reason = _('A quotation mark (") is missing, or there is one too many.')
        return Line(number, [visible(SUSPECT.sub(LOST, cells)).strip()], {WHOLE_ROW: reason})
    faults = {place: fault for place, cell in enumerate(cells) if (fault := fault_of(cell, encoding))}
    return Line(number, [visible(SUSPECT.sub(LOST, cell)) for cell in cells], faults)


def fault_of(cell: str, encoding: str) -> str:
    """Why this cell cannot be used; empty: it can."""
    if FAILED.fullmatch(cell.strip()):
        return _("This cell shows no value. Its formula failed or the column is too narrow.")
    if (found := SUSPECT.search(cell)) is None:
        return ""
    suspect, place = found[0], found.start() + 1
    if suspect == LOST:
        return _("Character %d was lost before the file was saved. Please type it again.") % place
    if UNREAD <= ord(suspect[0]) <= UNREAD + 0xFF:
        return _unread(bytes(ord(character) - UNREAD for character in suspect), place, encoding)
    values = {"place": place, "code": f"U+{ord(suspect):04X}"}
    if unicodedata.category(suspect) == "Co":
        return _("Character %(place)d (%(code)s) exists only on one computer. Please replace it.") % values
    return _("Character %(place)d (%(code)s) is an invisible control character. Please delete it.") % values


def _unread(unread: bytes, place: int, encoding: str) -> str:
    values = {"place": place, "bytes": unread.hex(" ").upper(), "encoding": NAMES.get(encoding.lower(), encoding)}
    reason = _("Character %(place)d cannot be read: %(encoding)s has no %(bytes)s.") % values
    if encoding != BIG5:
        return reason
    try:
        other = _("If it is “%s”, choose the encoding HKSCS. Otherwise save the sheet as “CSV UTF-8”.")
        return f"{reason} {other % unread.decode(HKSCS)}"
    except UnicodeDecodeError:
        other = _("It may exist only on one computer (UAO, user-defined). Please save the sheet as “CSV UTF-8”.")
        return f"{reason} {other}"


def split_separator(text: str) -> tuple[str, str]:
    """The delimiter that a first line `sep=;` names, else an empty text; and the text behind that line."""
    named = SEPARATOR.match(text)
    return (named[1], text[named.end() :]) if named else ("", text)


def csv_rows(text: str, delimiter: str = "") -> Iterator[tuple[int, list[str] | str]]:
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
