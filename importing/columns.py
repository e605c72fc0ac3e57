"""Rows of a sheet, and the search for its columns by the headings that different offices use."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.translation import gettext as _

from web.text import remove_invisible


class Column(StrEnum):
    """A column, named after the field of OrderDraft that it fills."""

    NUMBER = "number"
    CUSTOMER = "customer"
    PHONE = "phone"
    ADDRESS = "address"
    PRODUCT = "product"
    QUANTITY = "quantity"
    DATE = "date"
    SLOT = "slot"
    PRIORITY = "priority"
    NOTES = "notes"


# The headings of each column. Messages use the first one.
HEADINGS: dict[Column, tuple[str, ...]] = {
    Column.NUMBER: ("編號", "單號", "訂單編號", "訂單號碼", "序號", "no", "no.", "number"),
    Column.CUSTOMER: ("客戶", "客戶名稱", "客戶姓名", "姓名", "名稱", "顧客", "訂購人", "收件人", "customer", "name"),
    Column.PHONE: (
        "電話", "客戶電話", "聯絡電話", "連絡電話", "電話號碼", "手機", "手機號碼", "行動電話", "電話2", "市話",
        "phone", "telephone", "mobile",
    ),
    Column.ADDRESS: ("地址", "送貨地址", "配送地址", "客戶地址", "住址", "address"),
    Column.PRODUCT: ("商品", "商品名稱", "品名", "產品", "品項", "規格", "product", "item"),
    Column.QUANTITY: ("數量", "桶數", "支數", "quantity", "qty"),
    Column.DATE: ("配送日期", "送貨日期", "日期", "配送日", "送貨日", "date"),
    Column.SLOT: ("時段", "配送時段", "送貨時段", "時間", "配送時間", "timeslot", "time"),
    Column.PRIORITY: ("優先", "優先級", "優先順序", "priority"),
    Column.NOTES: ("備註", "備考", "附註", "說明", "notes", "note", "remarks"),
}  # fmt: skip
# Columns that a sheet must have. The telephone is one of them: if it is missing, its heading is probably misspelt, and
# customers would get no SMS.
REQUIRED_COLUMNS = (
    Column.CUSTOMER,
    Column.PHONE,
    Column.ADDRESS,
    Column.PRODUCT,
    Column.QUANTITY,
    Column.DATE,
)
# Number of columns in which headings are searched.
MAX_COLUMNS = 256
COLUMN_BY_HEADING = {name: column for column, names in HEADINGS.items() for name in names}


class UnreadableSheet(ValueError):
    """The import ends without a report, usually before any row is imported.

    The message gives the reason and what to do, in the reader's language.
    """


# Key in `SheetLine.faults` for a fault of the whole row.
WHOLE_ROW = -1


@dataclass(frozen=True, slots=True)
class SheetLine:
    """One filled row. `number` is the row number that the spreadsheet shows.

    `faults` maps the index of each damaged cell to the reason. WHOLE_ROW holds a reason that concerns all cells.
    """

    number: int
    cells: list[str]
    faults: dict[int, str] = field(default_factory=dict)

    def text(self) -> str:
        """All filled cells joined by spaces, for a remark about the whole row."""
        return " ".join(cell.strip() for cell in self.cells if cell.strip())


@dataclass(frozen=True, slots=True)
class Layout:
    """The indexes of each column's cells in a row (`places`), and its heading as written in the sheet (`titles`).

    `width` is the number of cells of the heading row. `unused` holds the unknown headings.
    """

    width: int
    titles: dict[Column, str]
    places: dict[Column, list[int]]
    unused: list[str]

    def title(self, column: Column) -> str:
        return self.titles.get(column, HEADINGS[column][0])

    def text(self, line: SheetLine, column: Column) -> str:
        cells = (line.cells[place].strip() for place in self.places.get(column, ()) if place < len(line.cells))
        return "/".join(cell for cell in cells if cell)

    def fault(self, line: SheetLine, column: Column) -> str:
        """The reason why this column's cell is damaged; empty if it is not."""
        return next((line.faults[place] for place in self.places.get(column, ()) if place in line.faults), "")

    def beyond(self, line: SheetLine) -> str:
        """The text of cells to the right of the last heading."""
        return " ".join(cell.strip() for cell in line.cells[self.width :] if cell.strip())


def locate_columns(heading: SheetLine) -> Layout:
    """Finds the columns. Raises UnreadableSheet if a required one is missing, or if one occurs twice.

    Only telephones may have several columns.
    """
    places: dict[Column, list[int]] = defaultdict(list)
    known = known_headings(heading.cells)
    for place, column in known.items():
        places[column].append(place)
    unused = [title.strip()[:40] for place, title in enumerate(heading.cells) if place not in known and title.strip()]
    _check_columns(places, heading)
    titles = {column: "/".join(heading.cells[place].strip() for place in found) for column, found in places.items()}
    return Layout(len(heading.cells), titles, dict(places), unused)


def known_headings(cells: list[str]) -> dict[int, Column]:
    """Maps the index of each known heading to its column."""
    found = {place: COLUMN_BY_HEADING.get(_heading_key(cell)) for place, cell in enumerate(cells[:MAX_COLUMNS])}
    return {place: column for place, column in found.items() if column is not None}


def find_heading(lines: list[SheetLine]) -> int:
    """The index of the heading: the first line with all required columns, else the line with the most columns."""
    known = [set(known_headings(line.cells).values()) for line in lines]
    whole = (place for place, columns in enumerate(known) if columns.issuperset(REQUIRED_COLUMNS))
    fullest = max(range(len(lines)), key=lambda place: len(known[place]))
    return next(whole, fullest)


def _heading_key(title: str) -> str:
    plain = unicodedata.normalize("NFKC", remove_invisible(title)[:60]).casefold()
    return re.sub(r"\(.*?\)|[\s*:_]", "", plain)


def _check_columns(places: dict[Column, list[int]], heading: SheetLine) -> None:
    missing = [HEADINGS[column][0] for column in REQUIRED_COLUMNS if column not in places]
    if missing:
        values = {"missing": "、".join(missing), "row": heading.number, "found": "、".join(heading.cells)[:120]}
        raise UnreadableSheet(
            _("Columns are missing: %(missing)s. Please add them. Row %(row)d was read as the headings: %(found)s")
            % values
        )
    for column, found in places.items():
        if len(found) > 1 and column != Column.PHONE:
            raise UnreadableSheet(_("More than one column for %s. Please keep one.") % HEADINGS[column][0])
