"""The buttons on an order's page: the moves its status allows, each through the one door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.roles import Side, check_page
from orders.admin.order_actions import DriverForm
from orders.models import Order
from orders.models.order import Proof
from orders.permissions import MOVE_ORDER
from orders.sides import may_correct
from orders.states import MOVES, Status, moves_from
from web.actors import Source
from web.admin import Button, HouseAdmin, ReasonForm, ask, user_of
from web.limits import MOST_MONEY
from web.refusals import Refusal

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern
    from django.utils.functional import Promise

VERBS: dict[Status, Promise] = {
    Status.CONFIRMED: _("Confirm"),
    Status.ASSIGNED: _("Assign to a driver"),
    Status.DELIVERING: _("Driver has set out"),
    Status.ARRIVING: _("Driver is arriving"),
    Status.DELIVERED: _("Delivered"),
    Status.FAILED: _("Delivery failed"),
    Status.CANCELLED: _("Cancel the order"),
}
# Moves back have other words than the same status reached on the way.
BACK: dict[tuple[str, Status], Promise] = {
    (Status.ASSIGNED, Status.CONFIRMED): _("Take from the driver"),
    (Status.DELIVERING, Status.ASSIGNED): _("Has not set out"),
    (Status.ARRIVING, Status.DELIVERING): _("Was turned away"),
    (Status.FAILED, Status.CONFIRMED): _("Try once more"),
}


class Versioned(forms.Form):
    """The version of the order that was read when the button was pressed."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)


class GiveForm(DriverForm, Versioned):
    pass


class WhyForm(ReasonForm, Versioned):
    pass


class DeliveredForm(Versioned):
    amount_collected = forms.IntegerField(
        label=_("Amount collected, NT$"), min_value=0, max_value=MOST_MONEY, required=False
    )


def form_for(order: Order, to: Status) -> type[Versioned]:
    """What this move must be told."""
    move = MOVES.get((Status(order.status), to))
    if move is not None and move.needs_reason:
        return WhyForm
    if (order.status, to) == (Status.CONFIRMED, Status.ASSIGNED):
        return GiveForm
    return DeliveredForm if to == Status.DELIVERED else Versioned


def verb(order: Order, to: Status) -> str:
    return str(BACK.get((order.status, to)) or VERBS[to])


def circumstances(said: dict[str, Any]) -> dict[str, Any]:
    """The answers of a form as keywords of `transition_to`."""
    if "amount_collected" in said:
        return {"version": said["version"], "proof": Proof(parts={"amount_collected": said["amount_collected"]})}
    return said


class OrderMoves(HouseAdmin):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.move_view)
        return [path("<int:pk>/move/<slug:to>/", view, name="orders_order_move"), *super().get_urls()]

    def buttons(self, request: HttpRequest, obj: Order) -> Sequence[Button]:
        open_to = moves_from(obj.status, {Side.OFFICE})
        return [self.button(obj, to) for to in open_to if may_correct(request.user, obj.status, to)]

    def button(self, order: Order, to: Status) -> Button:
        at_once = form_for(order, to) is Versioned
        url = reverse("admin:orders_order_move", args=[order.pk, to])
        return Button(verb(order, to), url, at_once, {"version": order.version})

    def move_view(self, request: HttpRequest, pk: int, to: str) -> HttpResponse:
        """A GET only asks."""
        order = get_object_or_404(self.get_queryset(request), pk=pk)
        check_page(request.user, MOVE_ORDER)
        if to not in VERBS:
            raise Http404
        if not may_correct(request.user, order.status, to):
            check_page(request.user, MOVES[Status(order.status), Status(to)].right)
        status, back = Status(to), reverse("admin:orders_order_change", args=[pk])
        said = request.POST if request.method == "POST" else None
        form = form_for(order, status)(said, initial={"version": order.version, "driver": order.driver_id})
        if form.is_valid():
            self.move(request, order, status, circumstances(form.cleaned_data))
            return redirect(back)
        title = f"{order}: {verb(order, status)}"
        return ask(request, self, title=title, form=form, subjects=[order.customer], back=back)

    def move(self, request: HttpRequest, order: Order, to: Status, said: dict[str, Any]) -> None:
        try:
            order.transition_to(to, by=user_of(request), source=Source.ADMIN, **said)
        except Refusal as refusal:
            self.message_user(request, f"{order}: {refusal}", messages.ERROR)
        else:
            words = {"order": order, "status": order.get_status_display()}
            self.message_user(request, gettext("%(order)s is now “%(status)s”.") % words, messages.SUCCESS)
