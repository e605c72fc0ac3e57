"""The two sheets of the demo, their days moved: the first is for today, the second for tomorrow."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from importing.importer import Track, import_orders
from importing.report import Report

HERE = Path(__file__).parent
# File, encoding, its day as it writes it.
FIRST = ("orders-2026-11-23.csv", "utf-8-sig", "%Y-%m-%d", date(2026, 11, 23))
SECOND = ("orders-2026-11-24-big5.csv", "cp950", "%Y/%m/%d", date(2026, 11, 24))


def import_sheets(today: date, track: Track) -> list[Report]:
    reports = []
    for (name, encoding, written, own_day), day in ((FIRST, today), (SECOND, today + timedelta(days=1))):
        text = (HERE / name).read_bytes().decode(encoding)
        moved = text.replace(own_day.strftime(written), day.strftime(written))
        reports.append(import_orders(moved.encode(encoding), track=track))
    return reports
