from __future__ import annotations

import pytest
from django.urls import reverse

from accounts.roles import Side
from orders.models import Order
from orders.states import MOVES, OrderStatus, moves_from
from orders.tests.admin.browser import Browser, Forms, change_url, shown_messages, sign_in
from orders.tests.factories import (
    make_driver,
    make_order,
    make_staff,
)

pytestmark = pytest.mark.django_db


def move_url(order: Order, to: str) -> str:
    return reverse("admin:orders_order_move", args=[order.pk, to])


@pytest.mark.parametrize("status", OrderStatus)
def test_page_offers_only_allowed_moves(office: Browser, status: OrderStatus) -> None:
    order = make_order(status)
    shown = office.get(change_url("order", order.pk))
    allowed = set(moves_from(status, {Side.OFFICE}))
    assert {to for to in OrderStatus if f'"{move_url(order, to)}"' in shown} == allowed


@pytest.mark.parametrize(("before", "to"), MOVES)
def test_every_office_move_works_from_its_page(office: Browser, before: OrderStatus, to: OrderStatus) -> None:
    order = make_order(before)
    fields = Forms(office.get(move_url(order, to))).forms[""]
    submitted = fields | {"reason": "客戶來電"} | ({"driver": make_driver().pk} if to == OrderStatus.ASSIGNED else {})
    answer = office.post(move_url(order, to), submitted)
    order.refresh_from_db()
    assert (order.status, answer.redirect_chain) == (to, [(change_url("order", order.pk), 302)])
    last = order.history.last()
    assert last is not None
    assert (last.by, last.source) == (answer.context["user"], "admin")


def test_button_without_form_moves_at_once(office: Browser) -> None:
    order = make_order()
    button = Forms(office.get(change_url("order", order.pk))).forms[move_url(order, "confirmed")]
    answer = office.post(move_url(order, "confirmed"), button)
    assert ("success", f"Order {order} is now “Confirmed”.") in shown_messages(answer)
    assert Order.objects.get(pk=order.pk).status == OrderStatus.CONFIRMED


def test_get_shows_form_and_moves_nothing(office: Browser) -> None:
    order = make_order()
    office.get(move_url(order, "confirmed"))
    assert Order.objects.get(pk=order.pk).version == 1


def test_move_without_required_reason_asks_for_it(office: Browser) -> None:
    order = make_order()
    answer = office.post(move_url(order, "cancelled"), {"version": 1, "reason": " "})
    assert "This field is required." in answer.content.decode()
    assert Order.objects.get(pk=order.pk).status == OrderStatus.PENDING


def test_amount_collected_is_stored(office: Browser) -> None:
    order = make_order("arriving")
    office.post(move_url(order, "delivered"), {"version": order.version, "amount_collected": 500})
    assert Order.objects.get(pk=order.pk).amount_collected == 500


@pytest.mark.parametrize(
    ("before", "to"),
    [("pending", "confirmed"), ("confirmed", "assigned"), ("arriving", "delivered"), ("pending", "cancelled")],
)
def test_stale_page_moves_nothing(office: Browser, before: str, to: str) -> None:
    order = make_order(before)
    opened = Forms(office.get(move_url(order, to))).forms[""] | {"reason": "客戶來電", "driver": make_driver().pk}
    order.notes = "改地址"
    order.save()
    answer = office.post(move_url(order, to), opened)
    assert "This order has changed since you loaded it" in shown_messages(answer)[0][1]
    assert Order.objects.get(pk=order.pk).status == before


def test_invalid_move_shows_error(office: Browser) -> None:
    order = make_order()
    answer = office.post(move_url(order, "arriving"), {"version": 1})
    assert shown_messages(answer) == [("error", f"{order}: An order that is “Pending” cannot become “Arriving”.")]


@pytest.mark.parametrize("to", ["pending", "nonsense"])
def test_unknown_move_is_404(office: Browser, to: str) -> None:
    office.get(move_url(make_order(), to), status=404)


@pytest.mark.parametrize("pk", [0, 10**30])
def test_move_of_unknown_order_is_404(office: Browser, pk: int) -> None:
    office.get(reverse("admin:orders_order_move", args=[pk, "confirmed"]), status=404)


def test_button_needs_csrf_token(office: Browser) -> None:
    office.client.handler.enforce_csrf_checks = True
    order = make_order()
    assert office.post(move_url(order, "confirmed"), {"version": 1}).status_code == 403


def test_only_manager_cancels_delivered_order() -> None:
    order = make_order(OrderStatus.DELIVERED)
    clerk, manager = sign_in(make_staff()), sign_in(make_staff("manager"))
    submitted = {"version": order.version, "reason": "it was the neighbour's"}
    assert move_url(order, "cancelled") not in clerk.get(change_url("order", order.pk))
    refused = clerk.post(move_url(order, "cancelled"), submitted)
    assert (refused.status_code, "Only a manager or the owner may do this." in refused.content.decode()) == (403, True)
    assert Order.objects.get(pk=order.pk).status == OrderStatus.DELIVERED
    assert move_url(order, "cancelled") in manager.get(change_url("order", order.pk))
    manager.post(move_url(order, "cancelled"), submitted)
    assert Order.objects.get(pk=order.pk).status == OrderStatus.CANCELLED
