"""What the office should know before it takes an order from a customer: each app registers its warnings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from customers import phones
from customers.models import Customer
from orders.models import Order


@dataclass(frozen=True, slots=True)
class OrderWarning:
    """`code` is stable and for programs, `detail` for people in the reader's language."""

    code: str
    detail: str


Check = Callable[[Customer], Iterable[OrderWarning]]
CHECKS: list[Check] = []
# Of one customer's open orders, the first ones are named.
MOST_NAMED = 5


def register(check: Check) -> Check:
    """Also as a decorator. Another app calls it in `AppConfig.ready()`."""
    CHECKS.append(check)
    return check


def of(customer: Customer) -> list[OrderWarning]:
    return [warning for check in CHECKS for warning in check(customer)]


@register
def open_orders(customer: Customer) -> Iterator[OrderWarning]:
    """An order that is not done yet: this call may be about that one."""
    for order in Order.objects.open().filter(customer=customer).order_by("scheduled_date", "id")[:MOST_NAMED]:
        said = _("There is already an open order: %(number)s, for %(day)s.")
        yield OrderWarning("open_order", said % {"number": order.order_number, "day": order.scheduled_date})


@register
def no_message(customer: Customer) -> Iterator[OrderWarning]:
    """Nobody tells this customer when the driver comes."""
    if not customer.email and not any(phones.is_mobile(number) for number in (customer.phone, customer.phone2)):
        said = _("This customer gets no SMS: there is no mobile number and no e-mail.")
        yield OrderWarning("no_message", said)
