"""What a customer reads on the screen of an order: one sentence a status."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from orders.states import Status

MESSAGES: dict[str, Promise | str] = {
    Status.PENDING: _("We have your order and will confirm it soon."),
    Status.CONFIRMED: _("Your order is confirmed."),
    Status.ASSIGNED: _("A driver has your order."),
    Status.DELIVERING: _("The driver is on the way."),
    Status.ARRIVING: _("The driver will be with you in a few minutes."),
    Status.DELIVERED: _("Your order was delivered. Thank you!"),
    Status.FAILED: _("We could not deliver and will call you about a new time."),
    Status.CANCELLED: _("Your order was cancelled."),
}


def of(status: str, language: str) -> str:
    """The sentence for a status, in the customer's language."""
    with override(language):
        return str(MESSAGES[status])
