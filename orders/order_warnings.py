"""Registry of warnings for the office about the customer of a new order.

The API returns them before the order is placed; the admin shows them after it was placed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from customers import phones
from customers.models import Customer
from orders.models import Order


@dataclass(frozen=True, slots=True)
class OrderWarning:
    """`code` is stable, for programs. `detail` is for people, in the reader's language."""

    code: str
    detail: str


Check = Callable[[Customer], Iterable[OrderWarning]]
CHECKS: list[Check] = []
# Maximum number of open orders of a customer that are listed, each in its own warning.
MAX_NAMED = 5


def register(check: Check) -> Check:
    """Adds a check, also as a decorator. Other apps call it in `AppConfig.ready()`."""
    CHECKS.append(check)
    return check


def warnings_for(customer: Customer) -> list[OrderWarning]:
    return [warning for check in CHECKS for warning in check(customer)]


@register
def warn_of_open_orders(customer: Customer) -> Iterator[OrderWarning]:
    """Warns of open orders: the customer may be calling about one of them."""
    for order in Order.objects.open().filter(customer=customer).order_by("scheduled_date", "id")[:MAX_NAMED]:
        detail = _("There is already an open order: %(number)s, for %(day)s.")
        yield OrderWarning("open_order", detail % {"number": order.order_number, "day": order.scheduled_date})


@register
def warn_of_unreachable_customer(customer: Customer) -> Iterator[OrderWarning]:
    """Warns if the customer has neither a mobile number nor an e-mail. Does not check `sms_opt_out`."""
    if not customer.email and not any(phones.is_mobile(number) for number in (customer.phone, customer.phone2)):
        detail = _("This customer has no mobile number and no e-mail, so we cannot send messages. Please ask for one.")
        yield OrderWarning("no_message", detail)
