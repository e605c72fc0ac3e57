"""Cells that hold what nobody typed: characters that were damaged on the way, and failed formulas."""

from __future__ import annotations

import re
import unicodedata

from django.utils.translation import gettext as _

from importing.decoding import BIG5, HKSCS, NAMES, UNREAD, unread_bytes
from importing.table import WHOLE_ROW, Line
from web.text import visible

LOST = "\ufffd"
# Bytes that mean nothing, controls but for white space, the mark of a character lost before, and private use.
SUSPECT = re.compile("[\udc00-\udcff]+|[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]")
# What a spreadsheet shows where it has no value: `#N/A`, `#REF!`, `Err:502`; `####` where a column is too narrow.
FAILED = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!|FIELD!|DATA!|名稱\?)|Err:\d{3}|#{3,}")


def inspected(number: int, cells: list[str] | str, encoding: str) -> Line:
    """The row with its damaged cells named, and nothing in it that cannot be seen or stored.

    `cells`: a text where the row could not be divided into cells.
    """
    if isinstance(cells, str):
        reason = _('A quotation mark (") is missing or one too many.')
        return Line(number, [visible(SUSPECT.sub(LOST, cells)).strip()], {WHOLE_ROW: reason})
    faults = {place: fault for place, cell in enumerate(cells) if (fault := fault_of(cell, encoding))}
    return Line(number, [visible(SUSPECT.sub(LOST, cell)) for cell in cells], faults)


def fault_of(cell: str, encoding: str) -> str:
    """Why this cell cannot be used; empty: it can."""
    if FAILED.fullmatch(cell.strip()):
        return _("The spreadsheet shows no value here: its formula failed or the column is too narrow.")
    if (found := SUSPECT.search(cell)) is None:
        return ""
    suspect, place = found[0], found.start() + 1
    if suspect == LOST:
        return _("Character %d was lost before this file was saved: type it again.") % place
    if UNREAD <= ord(suspect[0]) <= UNREAD + 0xFF:
        return _unread(unread_bytes(suspect), place, encoding)
    values = {"place": place, "code": f"U+{ord(suspect):04X}"}
    if unicodedata.category(suspect) == "Co":
        return (
            _("Character %(place)d (%(code)s) is a private one that only its own computer knows: replace it.") % values
        )
    return _("Character %(place)d (%(code)s) is an invisible control character: delete it.") % values


def _unread(unread: bytes, place: int, encoding: str) -> str:
    values = {"place": place, "bytes": unread.hex(" ").upper(), "encoding": NAMES.get(encoding.lower(), encoding)}
    reason = _("Character %(place)d cannot be read: %(bytes)s means nothing in %(encoding)s.") % values
    return f"{reason} {_in_another_big5(unread)}" if encoding == BIG5 else reason


def _in_another_big5(unread: bytes) -> str:
    try:
        meaning = unread.decode(HKSCS)
    except UnicodeDecodeError:
        return _("It may be known to one computer alone (UAO, user-defined): save the sheet as “CSV UTF-8”.")
    return _("If it is “%s”, choose the encoding HKSCS; else save the sheet as “CSV UTF-8”.") % meaning
