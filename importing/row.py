"""Parses one row of a sheet into an order draft, or lists its problems."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from catalogue.models import Product, product_name_key
from customers import addresses
from importing import cells
from importing.cells import CellError, whole_number
from importing.columns import WHOLE_ROW, Column, Layout, SheetLine
from importing.dates import parse_date
from importing.report import Remark
from orders.models import Priority, TimeSlot
from orders.models.item import MAX_AMOUNT


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """A valid row. `number`, `customer`, `phone` and `address` may be empty."""

    row: int
    number: str
    customer: str
    phone: tuple[str, ...]
    address: str
    product: Product
    quantity: int
    date: date
    slot: TimeSlot
    priority: Priority
    notes: str

    @property
    def name_key(self) -> str:
        return customer_name_key(self.customer)

    @property
    def key(self) -> str:
        """Date and number, because offices restart their numbers each day."""
        return f"{self.date.isoformat()}#{self.number}"

    @property
    def import_ref(self) -> str:
        """Idempotency key of the row's order: `2026-11-23#12#<digest>`, or `2026-11-23##<digest>` without a number."""
        return f"{self.key}#{self.digest()}"

    def digest(self) -> str:
        """A hash of the row, the same when the row is imported again. From the database it uses only the product's id.

        Without an order number it leaves out priority and notes: a row with a new note is still the same order.
        """
        who = self.phone[0] if self.phone else self.name_key
        content = [who, addresses.address_key(self.address), str(self.product.pk), str(self.quantity), self.slot.value]
        if self.number:
            content += [self.priority.value, cells.plain_cell(self.notes)]
        return hashlib.sha256("\x1f".join(content).encode()).hexdigest()[:16]


def customer_name_key(name: str) -> str:
    """A key for comparing customers' names. It ignores full width, case and spaces."""
    return cells.plain_cell(name).casefold().replace(" ", "")


class RowReader:
    def __init__(self, layout: Layout, products: Iterable[Product], today: date) -> None:
        self.layout = layout
        self.products: dict[str, list[Product]] = defaultdict(list)
        for product in products:
            for name in product.names():
                self.products[name].append(product)
        self.parsers: dict[Column, Callable[[str], Any]] = {
            Column.NUMBER: cells.parse_number,
            Column.CUSTOMER: lambda text: cells.free_text(text, 100),
            Column.PHONE: cells.parse_phones,
            Column.ADDRESS: lambda text: cells.free_text(text, 200),
            Column.PRODUCT: self.product,
            Column.QUANTITY: cells.parse_quantity,
            Column.DATE: lambda text: parse_date(text, today),
            Column.SLOT: cells.parse_slot,
            Column.PRIORITY: cells.parse_priority,
            Column.NOTES: cells.free_text,
        }

    def read(self, line: SheetLine) -> OrderDraft | list[Remark]:
        """The draft, or all problems of the row."""
        if fault := line.faults.get(WHOLE_ROW):
            return [Remark(line.number, "", fault, line.text())]
        values: dict[str, Any] = {}
        problems: list[Remark] = []
        for column, parse in self.parsers.items():
            text = self.layout.text(line, column)
            try:
                if fault := self.layout.fault(line, column):
                    raise CellError(fault)
                values[column.value] = parse(text)
            except CellError as error:
                problems.append(Remark(line.number, self.layout.title(column), str(error), text))
        if beyond := self.layout.beyond(line):
            reason = _(
                "This row has more cells than headings. Put quotation marks around a cell that contains a comma."
            )
            problems.append(Remark(line.number, "", reason, beyond))
        return problems or self._check_amount(OrderDraft(row=line.number, **values))

    def product(self, text: str) -> Product:
        name = cells.plain_cell(text)
        if not name:
            raise CellError(_("The product is missing. Please enter it."))
        found = self.products.get(product_name_key(name)) or self.products.get(whole_number(name), [])
        sold = [product for product in found if product.is_active]
        if not found:
            raise CellError(_("No product has this name. Please correct the name, or add it to a product's aliases."))
        if not sold:
            raise CellError(_("This product is no longer sold. Please choose another."))
        if len(sold) > 1:
            raise CellError(_("More than one product has this name. Please use the code."))
        return sold[0]

    def _check_amount(self, draft: OrderDraft) -> OrderDraft | list[Remark]:
        if draft.quantity * draft.product.price <= MAX_AMOUNT:
            return draft
        reason = _("The amount is too large. Please check the quantity and the product's price.")
        return [Remark(draft.row, self.layout.title(Column.QUANTITY), reason, str(draft.quantity))]
