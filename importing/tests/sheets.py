"""Builds sheets for the tests of the import."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, time
from typing import Any
from xml.sax.saxutils import escape

import openpyxl
import xlwt

from catalogue.models import Product
from orders.tests.factories import make_product

HEADING = "編號,客戶,電話,地址,商品,數量,配送日期,時段,優先,備註"
HOME = "台北市大安區信義路四段7號"


def make_sheet(*rows: str) -> bytes:
    return "\n".join([HEADING, *rows]).encode()


def row(number: object = "", **cells: str) -> str:
    """A line of CSV with a valid order. `cells` replaces cells of it."""
    usual = {
        "customer": "洪小姐", "phone": "0912-345-678", "address": HOME, "product": "20公斤", "quantity": "2",
        "date": "2026-11-23", "slot": "上午", "priority": "", "notes": "",
    }  # fmt: skip
    return ",".join([str(number), *(usual | cells).values()])


def make_20kg() -> Product:
    return make_product(code="LPG20", name="20kg 瓦斯桶", aliases="20公斤\n20kg\n20公斤瓦斯", price=800)


# Workbooks, as spreadsheet programs write them.


# Each cell is a text, a number, a date, a time, or None.
Rows = Sequence[Sequence[Any]]
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def make_xlsx(rows: Rows, *merged: str) -> bytes:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    for row in rows:
        sheet.append(list(row))
    for cells in merged:
        sheet.merge_cells(cells)
    return save_to_bytes(workbook.save)


def make_xls(rows: Rows) -> bytes:
    workbook = xlwt.Workbook()
    sheet = workbook.add_sheet("Sheet1")
    formats = {date: xlwt.easyxf(num_format_str="yyyy/m/d"), time: xlwt.easyxf(num_format_str="h:mm")}
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            if cell is not None:
                sheet.write(y, x, cell, formats.get(type(cell), xlwt.Style.default_style))
    return save_to_bytes(workbook.save)


def make_ods(rows: Rows) -> bytes:
    names = {"office": "office", "table": "table", "text": "text"}
    space = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names)
    body = "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)
    content = (
        f'<?xml version="1.0"?><office:document-content {space} office:version="1.3"><office:body><office:spreadsheet>'
        f'<table:table table:name="Sheet1">{body}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    return make_zip({"mimetype": kind, "META-INF/manifest.xml": manifest, "content.xml": content})


def _ods_cell(cell: object) -> str:
    if cell is None:
        return "<table:table-cell/>"
    if isinstance(cell, date):
        attributes = f'office:value-type="date" office:date-value="{cell.isoformat()}"'
    elif isinstance(cell, time):
        attributes = f'office:value-type="time" office:time-value="PT{cell:%HH%MM%SS}"'
    elif isinstance(cell, str):
        attributes = 'office:value-type="string"'
    else:
        attributes = f'office:value-type="float" office:value="{cell}"'
    return f"<table:table-cell {attributes}><text:p>{escape(str(cell))}</text:p></table:table-cell>"


def make_raw_xlsx(sheet_rows: str) -> bytes:
    """A workbook whose rows are the given XML, for content that no library writes."""
    return make_zip(
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
            "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r1" Type="{OFFICE}/officeDocument"'
            ' Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}"><sheets>'
            '<sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r1"'
            f' Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{sheet_rows}</sheetData></worksheet>',
        }
    )


def make_zip(files: dict[str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def save_to_bytes(save: Callable[[io.BytesIO], object]) -> bytes:
    data = io.BytesIO()
    save(data)
    return data.getvalue()


MAKERS: dict[str, Callable[[Rows], bytes]] = {"xlsx": make_xlsx, "xls": make_xls, "ods": make_ods}
