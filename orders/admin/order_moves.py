"""Buttons and list actions that move orders in the admin.

An order's page has a button for each move that its status and the user's permissions allow. In a list action each order
succeeds or fails on its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.roles import Side, check_page
from dispatch.models import Driver
from orders import services
from orders.models import Order, Priority
from orders.models.order import Proof
from orders.permissions import MOVE_ORDER, may_correct
from orders.services import BulkOutcome
from orders.states import MOVES, OrderStatus, moves_from
from web.actors import Source
from web.admin import MAX_SHOWN, BaseAdmin, Button, ReasonForm, actor, confirmation_page, user_of
from web.limits import MAX_MONEY
from web.refusals import Refusal

VERBS: dict[OrderStatus, Promise] = {
    OrderStatus.CONFIRMED: _("Confirm"),
    OrderStatus.ASSIGNED: _("Assign to a driver"),
    OrderStatus.DELIVERING: _("Driver has left"),
    OrderStatus.ARRIVING: _("Driver is arriving"),
    OrderStatus.DELIVERED: _("Delivered"),
    OrderStatus.FAILED: _("Delivery failed"),
    OrderStatus.CANCELLED: _("Cancel the order"),
}
# Verbs for moves back to an earlier status, which replace the status's verb in VERBS.
BACK_VERBS: dict[tuple[str, OrderStatus], Promise] = {
    (OrderStatus.ASSIGNED, OrderStatus.CONFIRMED): _("Take back from the driver"),
    (OrderStatus.DELIVERING, OrderStatus.ASSIGNED): _("Has not left yet"),
    (OrderStatus.ARRIVING, OrderStatus.DELIVERING): _("Left without delivering"),
    (OrderStatus.FAILED, OrderStatus.CONFIRMED): _("Deliver again"),
}
# Name of a hidden field of the confirmation form. A POST without it comes from the list and chooses the action.
ANSWERED_FIELD = "answered"


class DriverForm(forms.Form):
    driver = forms.ModelChoiceField(Driver.objects.filter(is_active=True), label=_("Driver"))


def show_outcome(request: HttpRequest, model_admin: BaseAdmin, outcome: BulkOutcome, action: str) -> None:
    """Adds messages: how many orders changed, then one line for each reason with the refused orders."""
    counts = {"action": action, "done": len(outcome.updated), "refused": len(outcome.failed)}
    level = messages.WARNING if outcome.failed else messages.SUCCESS
    model_admin.message_user(request, gettext("%(action)s: %(done)d done, %(refused)d refused.") % counts, level)
    numbers = Order.objects.in_bulk([failure["id"] for failure in outcome.failed])
    reasons: dict[str, list[str]] = defaultdict(list)
    for failure in outcome.failed:
        reasons[failure["detail"]].append(str(numbers.get(failure["id"], failure["id"])))
    for detail, refused in reasons.items():
        more = " …" if len(refused) > MAX_SHOWN else ""
        model_admin.message_user(request, f"{', '.join(refused[:MAX_SHOWN])}{more}: {detail}", messages.WARNING)


class VersionForm(forms.Form):
    """`version` is the order's version when its page was displayed."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)


class AssignForm(DriverForm, VersionForm):
    pass


class MoveReasonForm(ReasonForm, VersionForm):
    pass


class DeliveredForm(VersionForm):
    amount_collected = forms.IntegerField(
        label=_("Amount collected, NT$"), min_value=0, max_value=MAX_MONEY, required=False
    )


def form_for(order: Order, to: OrderStatus) -> type[VersionForm]:
    """The form for this move: with its reason, driver or amount, or VersionForm if the move needs none of them."""
    move = MOVES.get((OrderStatus(order.status), to))
    if move is not None and move.needs_reason:
        return MoveReasonForm
    if (order.status, to) == (OrderStatus.CONFIRMED, OrderStatus.ASSIGNED):
        return AssignForm
    return DeliveredForm if to == OrderStatus.DELIVERED else VersionForm


def verb(order: Order, to: OrderStatus) -> str:
    return str(BACK_VERBS.get((order.status, to)) or VERBS[to])


class OrderMoves(BaseAdmin):
    actions = ("confirm", "assign", "cancel", "mark_urgent")

    def buttons(self, request: HttpRequest, obj: Order) -> Sequence[Button]:
        def button(to: OrderStatus) -> Button:
            url = reverse("admin:orders_order_move", args=[obj.pk, to])
            return Button(verb(obj, to), url, form_for(obj, to) is VersionForm, {"version": obj.version})

        return [button(to) for to in moves_from(obj.status, {Side.OFFICE}) if may_correct(request.user, obj.status, to)]

    def move_view(self, request: HttpRequest, pk: int, to: str) -> HttpResponse:
        """GET displays the confirmation form; POST makes the move."""
        order = get_object_or_404(self.get_queryset(request), pk=pk)
        check_page(request.user, MOVE_ORDER)
        if to not in VERBS:
            raise Http404
        if not may_correct(request.user, order.status, to):
            check_page(request.user, MOVES[OrderStatus(order.status), OrderStatus(to)].right)
        status, back = OrderStatus(to), reverse("admin:orders_order_change", args=[pk])
        submitted = request.POST if request.method == "POST" else None
        form = form_for(order, status)(submitted, initial={"version": order.version, "driver": order.driver_id})
        if form.is_valid():
            circumstances = form.cleaned_data
            if "amount_collected" in circumstances:
                circumstances["proof"] = Proof(parts={"amount_collected": circumstances.pop("amount_collected")})
            self.move(request, order, status, circumstances)
            return redirect(back)
        title = f"{order}: {verb(order, status)}"
        return confirmation_page(request, self, title=title, form=form, subjects=[order.customer], back=back)

    def move(self, request: HttpRequest, order: Order, to: OrderStatus, circumstances: dict[str, Any]) -> None:
        try:
            order.transition_to(to, by=user_of(request), source=Source.ADMIN, **circumstances)
        except Refusal as refusal:
            self.message_user(request, f"{order}: {refusal}", messages.ERROR)
        else:
            values = {"order": order, "status": order.get_status_display()}
            self.message_user(request, gettext("Order %(order)s is now “%(status)s”.") % values, messages.SUCCESS)

    @admin.action(description=_("Confirm"), permissions=["change"])
    def confirm(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self.bulk_update(request, self.chosen(request, orders), gettext("Confirm"), {"status": OrderStatus.CONFIRMED})

    @admin.action(description=_("Mark as urgent"), permissions=["change"])
    def mark_urgent(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        ids = self.chosen(request, orders)
        self.bulk_update(request, ids, gettext("Mark as urgent"), {"priority": Priority.URGENT})

    @admin.action(description=_("Assign to a driver"), permissions=["change"])
    def assign(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        return self.ask_then_update(request, orders, "assign", gettext("Assign to a driver"), DriverForm)

    @admin.action(description=_("Cancel the orders"), permissions=["change"])
    def cancel(self, request: HttpRequest, orders: QuerySet[Order]) -> HttpResponse | None:
        return self.ask_then_update(
            request, orders, "cancel", gettext("Cancel the orders"), ReasonForm, {"status": OrderStatus.CANCELLED}
        )

    def ask_then_update(
        self,
        request: HttpRequest,
        orders: QuerySet[Order],
        action: str,
        title: str,
        form_class: type[forms.Form],
        fixed: Mapping[str, Any] | None = None,
    ) -> HttpResponse | None:
        """Displays a confirmation form. Once it is posted, applies `fixed` and the form's values to the chosen orders.

        Returns None when it has applied them, or when no order was chosen.
        """
        ids = self.chosen(request, orders)
        form = form_class(request.POST if ANSWERED_FIELD in request.POST else None)
        if form.is_valid():
            self.bulk_update(request, ids, title, {**(fixed or {}), **form.cleaned_data})
        if form.is_valid() or not ids:
            return None
        hidden = [("action", action), (ANSWERED_FIELD, "1"), *((ACTION_CHECKBOX_NAME, pk) for pk in ids)]
        subjects = list(orders.filter(pk__in=ids).select_related("customer"))
        lines = [f"{order} {order.customer}" for order in subjects]
        return confirmation_page(
            request, self, title=title, form=form, subjects=lines, back=request.get_full_path(), hidden=hidden
        )

    def bulk_update(self, request: HttpRequest, ids: list[int], action: str, changes: Mapping[str, Any]) -> None:
        if ids:
            show_outcome(request, self, services.bulk_update(ids, changes, actor(request)), action)
