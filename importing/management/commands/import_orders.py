"""manage.py import_orders FILE: imports orders from a sheet."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from tqdm import tqdm

from importing.columns import UnreadableSheet
from importing.importer import import_orders
from importing.report import Finding, Mode, Report
from importing.sheet import MAX_BYTES
from web.text import normalize_typed


class Command(BaseCommand):
    help = _(
        "Imports orders from a sheet (.xlsx, .xls, .ods, CSV). Exit code 0: all rows were imported, now or before. "
        "1: some rows are wrong. 2: the file cannot be imported, or there are no active products."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--dry-run", action="store_true", help=_("show what would be imported, and change nothing"))
        parser.add_argument("--all-or-nothing", action="store_true", help=_("import nothing if any row is wrong"))
        parser.add_argument(
            "--encoding",
            type=normalize_typed,
            default="",
            help=_("encoding of a CSV file: utf-8, big5, hkscs, … (default: detected)"),
        )

    def handle(
        self, *args: Any, file: Path, dry_run: bool, all_or_nothing: bool, encoding: str, **options: Any
    ) -> None:
        mode = Mode.CHECK if dry_run else Mode.ALL if all_or_nothing else Mode.GOOD
        try:
            # `disable=None` shows the progress bar only on a terminal.
            track = partial(tqdm, unit=_("rows"), leave=False, file=sys.stderr, disable=None)
            report = import_orders(read_file(file), mode=mode, encoding=encoding, track=track)
        except UnreadableSheet as error:
            raise CommandError(f"{file}: {error}", returncode=2) from error
        self.show(report)
        if report.problems:
            sys.exit(1)

    def show(self, report: Report) -> None:
        for finding in report.found_notes():
            self.stdout.write(finding_line(finding))
        for finding in report.found_problems():
            self.stdout.write(self.style.ERROR(finding_line(finding)))
        self.stdout.write(report.summary())


def finding_line(finding: Finding) -> str:
    place = {"row": finding.where, "column": finding.column or "–"}
    where = _("Row %(row)s, %(column)s") % place if finding.where else _("The file")
    return f"{where} “{finding.shown}”: {finding.reason}" if finding.texts else f"{where}: {finding.reason}"


def read_file(file: Path) -> bytes:
    """Reads the file, but at most one byte more than allowed. Raises CommandError."""
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        detail = _("%(file)s cannot be read: %(reason)s") % {"file": file, "reason": error.strerror}
        raise CommandError(detail, returncode=2) from error
