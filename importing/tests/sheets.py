"""Sheets for the tests of the import, made with the fewest words."""

from __future__ import annotations

from catalogue.models import Product
from orders.tests.factories import make_product

HEADING = "編號,客戶,電話,地址,商品,數量,配送日期,時段,優先,備註"
HOME = "台北市大安區信義路四段7號"


def make_sheet(*rows: str) -> bytes:
    return "\n".join([HEADING, *rows]).encode()


def row(number: object = "", **cells: str) -> str:
    """One row that is right, but for the cells named."""
    usual = {
        "customer": "洪小姐", "phone": "0912-345-678", "address": HOME, "product": "20公斤", "quantity": "2",
        "date": "2026-11-23", "slot": "上午", "priority": "", "notes": "",
    }  # fmt: skip
    return ",".join([str(number), *(usual | cells).values()])


def make_20kg() -> Product:
    return make_product(code="LPG20", name="20kg 瓦斯桶", aliases="20公斤\n20kg\n20公斤瓦斯", price=800)
