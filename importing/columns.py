"""A sheet as rows of text, and which column is which: headings by name, as different offices write them."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.translation import gettext as _

from web.text import visible


class Column(StrEnum):
    """A column by the name of the field it fills."""

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


# The first name of each is the usual one.
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
# A telephone column that is not there is more likely misspelt than meant: no SMS would go out.
REQUIRED = (
    Column.CUSTOMER,
    Column.PHONE,
    Column.ADDRESS,
    Column.PRODUCT,
    Column.QUANTITY,
    Column.DATE,
)
# Beyond these no headings are looked for.
MOST_COLUMNS = 256
BY_NAME = {name: column for column, names in HEADINGS.items() for name in names}


class UnreadableSheet(ValueError):
    """Nothing of the file can be read; the message says why and what to do, in the reader's language."""


# The place of a fault that is not one cell's.
WHOLE_ROW = -1


@dataclass(frozen=True, slots=True)
class Line:
    """One filled row; `number` as the spreadsheet shows it, the heading counted.

    `faults`: why the cell at a place cannot be used, for each cell that holds a damaged character; at WHOLE_ROW why
    none of them can be.
    """

    number: int
    cells: list[str]
    faults: dict[int, str] = field(default_factory=dict)

    def text(self) -> str:
        """The filled cells, for a remark about the whole row."""
        return " ".join(cell.strip() for cell in self.cells if cell.strip())


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each column stands in this sheet; `unused` are headings that name nothing we know."""

    width: int
    titles: dict[Column, str]
    places: dict[Column, list[int]]
    unused: list[str]

    def title(self, column: Column) -> str:
        return self.titles.get(column, HEADINGS[column][0])

    def text(self, line: Line, column: Column) -> str:
        cells = (line.cells[place].strip() for place in self.places.get(column, ()) if place < len(line.cells))
        return "/".join(cell for cell in cells if cell)

    def fault(self, line: Line, column: Column) -> str:
        """Why what stands in this column cannot be used; empty: it can."""
        return next((line.faults[place] for place in self.places.get(column, ()) if place in line.faults), "")

    def beyond(self, line: Line) -> str:
        """What stands to the right of the last heading."""
        return " ".join(cell.strip() for cell in line.cells[self.width :] if cell.strip())


def locate(heading: Line) -> Layout:
    """Finds the columns. Raises UnreadableSheet where one is missing or there twice (telephones may be in two)."""
    places: dict[Column, list[int]] = defaultdict(list)
    known = known_headings(heading.cells)
    for place, column in known.items():
        places[column].append(place)
    unused = [title.strip()[:40] for place, title in enumerate(heading.cells) if place not in known and title.strip()]
    _check(places, heading)
    titles = {column: "/".join(heading.cells[place].strip() for place in found) for column, found in places.items()}
    return Layout(len(heading.cells), titles, dict(places), unused)


def known_headings(cells: list[str]) -> dict[int, Column]:
    """The column that each cell is the name of, by its place; a cell that names none is left out."""
    found = {place: BY_NAME.get(_heading_key(cell)) for place, cell in enumerate(cells[:MOST_COLUMNS])}
    return {place: column for place, column in found.items() if column is not None}


def find_heading(lines: list[Line]) -> int:
    """Which of the first lines has the headings: the first with all that are required, else the one with most."""
    known = [set(known_headings(line.cells).values()) for line in lines]
    whole = (place for place, columns in enumerate(known) if columns.issuperset(REQUIRED))
    most = max(range(len(lines)), key=lambda place: len(known[place]))
    return next(whole, most)


def _heading_key(title: str) -> str:
    plain = unicodedata.normalize("NFKC", visible(title)[:60]).casefold()
    return re.sub(r"\(.*?\)|[\s*:_]", "", plain)


def _check(places: dict[Column, list[int]], heading: Line) -> None:
    missing = [HEADINGS[column][0] for column in REQUIRED if column not in places]
    if missing:
        words = {"missing": "、".join(missing), "row": heading.number, "found": "、".join(heading.cells)[:120]}
        raise UnreadableSheet(
            _("Columns are missing: %(missing)s. Row %(row)d was read as the headings: %(found)s") % words
        )
    for column, found in places.items():
        if len(found) > 1 and column != Column.PHONE:
            raise UnreadableSheet(_("There are two columns for %s. Please remove one.") % HEADINGS[column][0])
