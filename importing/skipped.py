"""Skips rows that are not orders: sums, repeated headings, titles, signatures, and prefilled rows without an order."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from importing.columns import Column, Layout, SheetLine, known_headings, locate_columns
from importing.report import Remark
from importing.sheet import WORKBOOK, Sheet

TOTAL = re.compile(
    r".{0,12}(?:合計|總計|小計|共計|總和|加總|總數量?|總共|累計).{0,60}|以?上?共\d+[\u4e00-\u9fff]{1,3}.{0,20}"
    r"|(?:grand|sub)?-?(?:total|sum)s?\b.{0,40}",
    re.IGNORECASE,
)
FIGURE = re.compile(r"[-+(]*(?:NT)?[$＄]?[\d,.]+\)?(?:元|桶|支|瓶|個|筆|張|戶|家|單|kg|公斤|%)?", re.IGNORECASE)
FOOTER = re.compile(
    r"第\d+頁.{0,12}|\d+/\d+|page\d+.{0,12}|[-=_*~—–…─.]+"
    r"|[-=_*~—–…─.(]*(?:以下空白|以下無資料)[-=_*~—–…─.)]*"
    r"|(?:製表|列印|製單|審核|核准|覆核|經辦|承辦|主管|會計|簽收|簽章|印表)[^:：]{0,6}[:：].{0,40}",
    re.IGNORECASE,
)
TELEPHONE = re.compile(r"(?:\d\D?){7}")
STREET = re.compile(r"[路街巷弄段村里鄉鎮道].*\d")
# A row with all of these is an order, whatever its other cells contain.
ORDER_COLUMNS = (Column.PRODUCT, Column.QUANTITY, Column.DATE)
# Columns that distinguish one order from another. Offices prefill the other columns for a whole day.
DISTINGUISHING_COLUMNS = (Column.CUSTOMER, Column.PHONE, Column.ADDRESS, Column.PRODUCT, Column.QUANTITY, Column.NOTES)
# A row repeats the headings if it contains at least this many of them and they are at least half of its filled cells.
MIN_HEADINGS = 3


def orders_of(sheet: Sheet, layout: Layout) -> tuple[list[tuple[SheetLine, Layout]], list[Remark]]:
    """The rows that are orders, each with the layout that applies to it, and remarks about skipped rows and cells.

    Raises UnreadableSheet if a repeated heading has other columns and `locate_columns` refuses it.
    """
    found: list[tuple[SheetLine, Layout]] = []
    remarks: list[Remark] = []
    for line, following in zip(sheet.lines, [*sheet.lines[1:], None], strict=True):
        if is_heading(line):
            layout, reason = _layout_below(line, layout)
        else:
            reason = _skip_reason(line, layout, following)
        if reason:
            remarks.append(Remark(line.number, "", reason, line.text()))
            continue
        if sheet.encoding == WORKBOOK and (beyond := layout.beyond(line)):
            remarks.append(Remark(line.number, "", _("Cells beside the table are not used."), beyond))
            line = SheetLine(line.number, line.cells[: layout.width], line.faults)
        found.append((line, layout))
    return found, remarks


def is_heading(line: SheetLine) -> bool:
    filled = sum(bool(cell.strip()) for cell in line.cells)
    known = len(set(known_headings(line.cells).values()))
    return known >= MIN_HEADINGS and 2 * known >= filled


def _layout_below(heading: SheetLine, layout: Layout) -> tuple[Layout, str]:
    """The layout of the rows below a repeated heading, and the text of its remark. Raises UnreadableSheet."""
    known = known_headings(heading.cells)
    if all(place in layout.places.get(column, ()) for place, column in known.items()):
        return layout, _("Skipped: the headings are repeated.")
    return locate_columns(heading), _("These headings are used from here on.")


def _skip_reason(line: SheetLine, layout: Layout, following: SheetLine | None) -> str:
    """The reason why a row is skipped; empty if it is an order, even an invalid one."""
    cells = ["".join(cell.split()) for cell in line.cells if cell.strip()]
    texts = {column: "".join(layout.text(line, column).split()) for column in Column}
    if all(texts[column] for column in ORDER_COLUMNS) or line.faults:
        return ""
    if _is_total(texts, cells):
        return _("Skipped: a total.")
    if not any(texts[column] for column in DISTINGUISHING_COLUMNS) and not layout.beyond(line):
        return _("Skipped: no order, only columns that were filled in beforehand.")
    if all(FOOTER.fullmatch(cell) for cell in cells):
        return _("Skipped: end of a page.")
    if len(cells) == 1 and following and is_heading(following):
        return _("Skipped: above the headings.")
    return ""


def _is_total(texts: dict[Column, str], cells: list[str]) -> bool:
    """Whether a row names a sum (合計) and no order, or has only figures, one of them in the quantity column."""
    if any(TOTAL.fullmatch(cell) for cell in cells if cell != texts[Column.NOTES]):
        others = [texts[column] for column in (Column.CUSTOMER, Column.ADDRESS, Column.PRODUCT)]
        names = [text for text in others if text and not (TOTAL.fullmatch(text) or FIGURE.fullmatch(text))]
        is_somewhere = STREET.search(texts[Column.ADDRESS])
        return len(names) <= 1 and not is_somewhere and not TELEPHONE.search(texts[Column.PHONE])
    has_only_figures = not any(
        texts[column] for column in (Column.NUMBER, Column.DATE, *DISTINGUISHING_COLUMNS) if column != Column.QUANTITY
    )
    return has_only_figures and bool(texts[Column.QUANTITY]) and all(FIGURE.fullmatch(cell) for cell in cells)
