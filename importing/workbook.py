"""Workbooks: .xlsx, .xls, .ods, recognised by their content and read in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

from django.utils.translation import gettext as _

from importing.table import UnreadableSheet

# A zip archive (.xlsx, .ods), and Microsoft's older container (.xls, and whatever has a password).
MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
PROGRAM = Path(__file__).with_name("workbook_process.py")
# More than its own limit of processor time: a busy machine is no fault of the file.
TIMEOUT_SECONDS = 60
# Several at once would take several times the memory.
_one_at_a_time = threading.Lock()


def is_workbook(data: bytes) -> bool:
    return data.startswith(MARKS)


def rows(data: bytes, most: int) -> tuple[list[tuple[int, list[str]]], str, list[str]]:
    """The filled rows of the first visible sheet, numbered, one more than `most` at most; its name; the other sheets.

    Raises UnreadableSheet.
    """
    command = [sys.executable, "-I", str(PROGRAM), str(most)]
    try:
        with _one_at_a_time:
            done = subprocess.run(  # noqa: S603
                command, input=data, capture_output=True, timeout=TIMEOUT_SECONDS, check=True
            )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise UnreadableSheet(_reason("large")) from error
    found = json.loads(done.stdout)
    if "error" in found:
        raise UnreadableSheet(_reason(found["error"]))
    return found["rows"], found["sheet"], found["others"]


def _reason(error: str) -> str:
    if error == "large":
        return _("The workbook is too large to read. Copy the rows of the orders into a new workbook, and import that.")
    if error == "empty":
        return _("The workbook has no visible sheet.")
    return _(
        "This workbook is damaged or has a password. "
        "Open it, save it anew as .xlsx without a password or as “CSV UTF-8”, and import that file."
    )
