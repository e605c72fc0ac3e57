"""What may be done to many orders of the list at once, each on its own merit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from dispatch.models import Driver
from orders import services
from orders.models import Order, Priority
from orders.services import Outcome
from orders.states import Status
from web.admin import MOST_SHOWN, HouseAdmin, ReasonForm, actor, ask

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

ANSWERED = "answered"


class DriverForm(forms.Form):
    driver = forms.ModelChoiceField(Driver.objects.filter(is_active=True), label=_("Driver"))


def tell(request: HttpRequest, model_admin: ModelAdmin[Any], outcome: Outcome, action: str) -> None:
    """How many were done, and which were refused and why, those of one reason together."""
    counts = {"action": action, "done": len(outcome.updated), "refused": len(outcome.failed)}
    level = messages.WARNING if outcome.failed else messages.SUCCESS
    model_admin.message_user(request, gettext("%(action)s: %(done)d done, %(refused)d refused.") % counts, level)
    numbers = Order.objects.in_bulk([failure["id"] for failure in outcome.failed])
    reasons: dict[str, list[str]] = defaultdict(list)
    for failure in outcome.failed:
        reasons[failure["detail"]].append(str(numbers.get(failure["id"], failure["id"])))
    for detail, refused in reasons.items():
        more = " …" if len(refused) > MOST_SHOWN else ""
        model_admin.message_user(request, f"{', '.join(refused[:MOST_SHOWN])}{more}: {detail}", messages.WARNING)


class OrderActions(HouseAdmin):
    actions = ("confirm", "assign", "cancel", "mark_urgent")

    @admin.action(description=_("Confirm"), permissions=["change"])
    def confirm(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self.do(request, self.chosen(request, orders), gettext("Confirm"), {"status": Status.CONFIRMED})

    @admin.action(description=_("Mark as urgent"), permissions=["change"])
    def mark_urgent(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self.do(request, self.chosen(request, orders), gettext("Mark as urgent"), {"priority": Priority.URGENT})

    @admin.action(description=_("Assign to a driver"), permissions=["change"])
    def assign(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        return self.asked(request, orders, "assign", gettext("Assign to a driver"), DriverForm)

    @admin.action(description=_("Cancel the orders"), permissions=["change"])
    def cancel(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        return self.asked(
            request, orders, "cancel", gettext("Cancel the orders"), ReasonForm, {"status": Status.CANCELLED}
        )

    def asked(
        self,
        request: HttpRequest,
        orders: QuerySet[Order],
        action: str,
        title: str,
        form_class: type[forms.Form],
        fixed: Mapping[str, Any] | None = None,
    ) -> HttpResponse | None:
        """The page that asks; posted from there, the change of `fixed` and what was said."""
        ids = self.chosen(request, orders)
        form = form_class(request.POST if ANSWERED in request.POST else None)
        if form.is_valid():
            self.do(request, ids, title, {**(fixed or {}), **form.cleaned_data})
        if form.is_valid() or not ids:
            return None
        hidden = [("action", action), (ANSWERED, "1"), *((ACTION_CHECKBOX_NAME, pk) for pk in ids)]
        subjects = list(orders.filter(pk__in=ids).select_related("customer"))
        lines = [f"{order} {order.customer}" for order in subjects]
        back = request.get_full_path()
        return ask(request, self, title=title, form=form, subjects=lines, back=back, hidden=hidden)

    def do(self, request: HttpRequest, ids: list[int], action: str, changes: Mapping[str, Any]) -> None:
        if ids:
            tell(request, self, services.bulk_update(ids, changes, actor(request)), action)
