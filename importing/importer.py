"""Imports a sheet: creates customers and orders from its drafts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import date

from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.db.models.functions import Left
from django.utils import timezone
from django.utils.translation import gettext as _

from catalogue.models import Product
from customers import addresses, phones
from customers.models import Customer
from importing import sheet as sheets
from importing.columns import Column, Layout, UnreadableSheet, locate_columns
from importing.report import CreatedOrder, Mode, Remark, Report
from importing.row import OrderDraft, RowReader, customer_name_key
from importing.skipped import orders_of
from orders.models import Change, Order, OrderItem
from orders.models.item import describe
from web import database
from web.actors import Actor, Source
from web.timings import measure

# Rows per transaction. Such a transaction lasts half a second, so that other writers wait only briefly.
BATCH = 200
# Key of the advisory lock: an arbitrary number, the same in every process.
ADVISORY_LOCK = 0x4C47_494D

# A function such as `tqdm`, which wraps the drafts to show progress. Before the import writes a row, it takes one draft
# from the result.
Track = Callable[[list[OrderDraft]], Iterable[OrderDraft]]


class NoProducts(UnreadableSheet):
    """There is no active product. One message reports it instead of one for each row."""


class ImportInterrupted(UnreadableSheet):
    """Another change held a lock for too long. The rows of earlier batches are imported, the others are not."""


@measure("import")
def import_orders(
    data: bytes,
    *,
    mode: Mode = Mode.GOOD,
    by: User | None = None,
    encoding: str = "",
    max_rows: int = sheets.MAX_ROWS,
    track: Track = iter,
) -> Report:
    """Creates a pending order from every valid row (see `Mode`), and reports the result of each row.

    Raises UnreadableSheet if the file as a whole is refused, NoProducts if no product is active, ImportInterrupted if
    another change kept the later rows from being imported. Commits the rows in batches, with Mode.ALL all at once. The
    import is idempotent: run it again after an interruption. It skips rows imported before.
    """
    sheet = sheets.read_sheet(data, encoding, max_rows)
    layout = locate_columns(sheet.heading)
    report = Report(mode, sheet.encoding, notes=list(sheet.notes))
    drafts = _parse_drafts(sheet, layout, report)
    run = _ImportRun(report, layout, KnownRecords(draft.date for draft in drafts), by)
    progress = iter(track(drafts))
    step = max(len(drafts), 1) if mode is Mode.ALL else BATCH
    for start in range(0, len(drafts), step):
        imported = len(report.created)
        try:
            run.import_batch(drafts[start : start + step], progress)
        except OperationalError as error:
            if mode is Mode.CHECK or not imported or not database.is_row_locked(error):
                raise
            detail = _(
                "Another change is in progress, so only %d rows were imported. Please import the file again: "
                "imported rows are recognised and not ordered twice."
            )
            raise ImportInterrupted(detail % imported) from error
    return report


def _parse_drafts(sheet: sheets.Sheet, layout: Layout, report: Report) -> list[OrderDraft]:
    """Parses the rows. Invalid and skipped rows go to the report. Raises UnreadableSheet."""
    for title in layout.unused:
        report.notes.append(Remark(sheet.heading.number, title, _("This column is not known and not used.")))
    rows, skipped = orders_of(sheet, layout)
    report.rows, report.notes = len(rows), report.notes + skipped
    products = list(Product.objects.all())
    _check_products(products)
    reader = RowReader(layout, products, timezone.localdate())
    drafts = []
    for line, below in rows:
        reader.layout = below
        result = reader.read(line)
        if isinstance(result, OrderDraft):
            drafts.append(result)
        else:
            report.problems += result
    return drafts


def _check_products(products: list[Product]) -> None:
    """Raises NoProducts if none is active."""
    if not products:
        raise NoProducts(_("There are no products yet. Please add the products first, then import the orders."))
    if not any(product.is_active for product in products):
        raise NoProducts(_("No product is active. Please activate the products first, then import the orders."))


def _lock_imports() -> None:
    """Makes other imports wait until the transaction ends, so that two of them cannot create the same customer.

    SQLite needs no lock, because it allows only one writer.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])


class _ImportRun:
    """The state of one import: report, layout, known records and actor."""

    def __init__(self, report: Report, layout: Layout, records: KnownRecords, by: User | None) -> None:
        self.report, self.layout, self.records = report, layout, records
        self.actor = Actor(by, Source.IMPORT)

    def import_batch(self, drafts: list[OrderDraft], progress: Iterable[OrderDraft]) -> None:
        """Checks all drafts, then writes them. Takes one item from `progress` for each draft."""
        with nullcontext() if self.report.mode is Mode.CHECK else database.long_work(_lock_imports):
            self.records.refresh()
            checked = [(draft, self.customer_for(draft)) for draft in drafts]
            for (draft, customer), _draft in zip(checked, progress, strict=False):
                if customer and not self.report.withheld:
                    self.write(draft, customer)

    def customer_for(self, draft: OrderDraft) -> Customer | None:
        """The customer of this row, possibly unsaved.

        None if the row creates no order; then the reason is in the report.
        """
        if self.records.is_known(draft):
            self.report.known.append(draft.row)
            return None
        found = self.records.find(draft)
        phone, phone2 = (*draft.phone, "", "")[:2]
        customer = found or Customer(name=draft.customer, phone=phone, phone2=phone2, address=draft.address)
        if problem := self.problem(draft, customer):
            self.report.problems.append(problem)
            return None
        if not found:
            self.records.add(customer)
        self.compare(draft, customer)
        self.records.remember(draft)
        return customer

    def problem(self, draft: OrderDraft, customer: Customer) -> Remark | None:
        """The first problem that a comparison with other rows and the database finds, or None."""
        if other := self.records.other_with_number(draft):
            reason = (
                _(
                    "This number is already used on that day, with other contents (%s). If this is another order, "
                    "change the number; otherwise change that order."
                )
                % other
            )
            return self.remark(draft, Column.NUMBER, reason, draft.number)
        if not customer.is_active:
            reason = _("This customer is deactivated. Please activate the customer first.")
            return self.remark(draft, Column.CUSTOMER, reason, customer.name)
        if not customer.name:
            reason = _("The name is missing, and no customer matches this row. Please enter the name.")
            return self.remark(draft, Column.CUSTOMER, reason)
        if not (draft.address or customer.address):
            reason = _("The address is missing, and no customer matches this row. Please enter the address.")
            return self.remark(draft, Column.ADDRESS, reason)
        return None

    def compare(self, draft: OrderDraft, customer: Customer) -> None:
        """Reports if a known customer has another name or telephone than the row.

        The customer's record stays unchanged, because the sheet may be wrong.
        """
        if draft.customer and customer_name_key(customer.name) != draft.name_key:
            reason = _("The customer with this telephone is “%s”. The customer record was not changed.") % customer.name
            self.report.notes.append(self.remark(draft, Column.CUSTOMER, reason, draft.customer))
        if draft.phone and not {customer.phone, customer.phone2}.intersection(draft.phone):
            reason = _(
                "Name and address match a customer who does not have this telephone. "
                "The customer record was not changed."
            )
            written = ", ".join(map(phones.display, draft.phone))
            self.report.notes.append(self.remark(draft, Column.PHONE, reason, written))

    def write(self, draft: OrderDraft, customer: Customer) -> None:
        if self.report.mode is Mode.CHECK:
            self.report.created.append(CreatedOrder(draft.row))
            return
        if customer._state.adding:
            customer.save()
        order = Order(
            customer=customer, scheduled_date=draft.date, time_slot=draft.slot, priority=draft.priority,
            delivery_address=draft.address, notes=draft.notes, amount_due=draft.product.price * draft.quantity,
            import_ref=draft.import_ref,
        )  # fmt: skip
        item = {"product": draft.product, "quantity": draft.quantity}
        order.save(change=Change(self.actor, items=describe([OrderItem(**item)])))
        OrderItem.objects.create(order=order, **item)
        self.report.created.append(CreatedOrder(draft.row, order.order_number))

    def remark(self, draft: OrderDraft, column: Column, reason: str, text: str = "") -> Remark:
        return Remark(draft.row, self.layout.title(column), reason, text)


class KnownRecords:
    """Finds known customers by telephone or by name and address, and known rows by number or content.

    Customers and rows of this sheet are known too: the second row of a new customer finds the customer of the first.
    """

    def __init__(self, days: Iterable[date]) -> None:
        self.days = sorted({day.isoformat() for day in days})
        self._by_phone: dict[str, list[Customer]] = defaultdict(list)
        self._by_name: dict[str, list[Customer]] = defaultdict(list)
        self._imported: dict[str, dict[str, str]] = defaultdict(dict)
        self._last_customer = self._last_order = 0

    def refresh(self) -> None:
        """Reads the customers, and the imported orders of `days`, that any process has added since the last call."""
        known = Customer.objects.only("name", "phone", "phone2", "address", "area", "is_active")
        for customer in known.filter(pk__gt=self._last_customer).order_by("pk"):
            self.add(customer)
            self._last_customer = customer.pk
        orders = Order.objects.filter(pk__gt=self._last_order, import_ref__isnull=False)
        orders = orders.annotate(day=Left("import_ref", 10)).filter(day__in=self.days).order_by("pk")
        for pk, ref, number in orders.values_list("pk", "import_ref", "order_number"):
            self._remember(ref or "", number)
            self._last_order = pk

    def add(self, customer: Customer) -> None:
        # There is no index by address: `address_key` takes 50 µs, and this runs for every customer in the database.
        # `refresh` adds a customer that this sheet created a second time. `find` then returns the first one.
        self._by_name[customer_name_key(customer.name)].append(customer)
        for phone in filter(None, (customer.phone, customer.phone2)):
            self._by_phone[phone].append(customer)

    def find(self, draft: OrderDraft) -> Customer | None:
        """Finds a customer by telephone, or else by name and address.

        Of several customers it prefers active ones, then those with the same name, then those with the same address.
        """
        found = [customer for phone in draft.phone for customer in self._by_phone.get(phone, [])]
        place = addresses.address_key(draft.address)
        if not found and draft.customer and place:
            namesakes = self._by_name.get(draft.name_key, [])
            found = [customer for customer in namesakes if addresses.address_key(customer.address) == place]

        def likeness(customer: Customer) -> tuple[bool, bool, bool]:
            same_name = customer_name_key(customer.name) == draft.name_key
            return customer.is_active, same_name, addresses.address_key(customer.address) == place

        return max(found, key=likeness, default=None)

    def is_known(self, draft: OrderDraft) -> bool:
        return draft.digest() in self._imported[draft.key]

    def other_with_number(self, draft: OrderDraft) -> str:
        """The order or row of that day with the same number but other contents; empty if there is none."""
        others = self._imported[draft.key] if draft.number else {}
        return next((where for digest, where in others.items() if digest != draft.digest()), "")

    def remember(self, draft: OrderDraft) -> None:
        self._remember(draft.import_ref, _("row %d") % draft.row)

    def _remember(self, ref: str, where: str) -> None:
        key, _hash, digest = ref.rpartition("#")
        self._imported[key].setdefault(digest, where)
