"""What is there already, read once for a whole sheet: customers, and the rows imported before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from django.db.models.functions import Left
from django.utils.translation import gettext as _

from customers import addresses
from customers.models import Customer
from importing.row import Draft, name_key
from orders.models import Order


class Register:
    """Finds customers by telephone or by name and address, and rows by number or content.

    It holds what the sheet itself adds as well: the second row of a new customer finds the first one's.
    """

    def __init__(self, days: Iterable[date]) -> None:
        self.days = sorted({day.isoformat() for day in days})
        self._by_phone: dict[str, list[Customer]] = defaultdict(list)
        self._by_name: dict[str, list[Customer]] = defaultdict(list)
        self._imported: dict[str, dict[str, str]] = defaultdict(dict)
        self._last_customer = self._last_order = 0

    def refresh(self) -> None:
        """Reads what came since it was last read, by whomever."""
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
        # Addresses are compared only of those who have the name: it takes 50 µs each, and all customers are read here.
        for bucket in (*(self._by_phone[phone] for phone in _phones(customer)), self._by_name[name_key(customer.name)]):
            # One that this sheet made is met again when the table is read on; the first is found.
            bucket.append(customer)

    def find(self, draft: Draft) -> Customer | None:
        """By telephone; where no one has it, by name and address. Of several the likeliest, active ones first."""
        found = [customer for phone in draft.phone for customer in self._by_phone.get(phone, [])]
        place = addresses.comparable(draft.address)
        if not found and draft.customer and place:
            namesakes = self._by_name.get(draft.name_key, [])
            found = [customer for customer in namesakes if addresses.comparable(customer.address) == place]

        def likeness(customer: Customer) -> tuple[bool, bool, bool]:
            same_name = name_key(customer.name) == draft.name_key
            return customer.is_active, same_name, addresses.comparable(customer.address) == place

        return max(found, key=likeness, default=None)

    def is_known(self, draft: Draft) -> bool:
        return draft.digest() in self._imported[draft.key]

    def other_with_number(self, draft: Draft) -> str:
        """Which order of that day has this row's number and another content; empty: none."""
        others = self._imported[draft.key] if draft.number else {}
        return next((where for digest, where in others.items() if digest != draft.digest()), "")

    def remember(self, draft: Draft) -> None:
        self._remember(import_ref(draft), _("row %d") % draft.row)

    def _remember(self, ref: str, where: str) -> None:
        key, _hash, digest = ref.rpartition("#")
        self._imported[key].setdefault(digest, where)


def import_ref(draft: Draft) -> str:
    """What the order of this row is known by: `2026-11-23#12#<digest>`, without a number `2026-11-23##<digest>`."""
    return f"{draft.key}#{draft.digest()}"


def _phones(customer: Customer) -> list[str]:
    return [phone for phone in (customer.phone, customer.phone2) if phone]
