from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from orders.models import Order
from orders.states import OrderStatus
from orders.tests.admin.browser import Browser, Forms, shown_messages, sign_in
from orders.tests.factories import (
    make_driver,
    make_office,
    make_order,
)
from web import admin

pytestmark = pytest.mark.django_db


LIST, ADD = reverse("admin:orders_order_changelist"), reverse("admin:orders_order_add")


def run_action(office: Browser, action: str, *orders: Order, **more: Any) -> Any:
    return office.post(LIST, {"action": action, "_selected_action": [order.pk for order in orders]} | more)


def status_of(order: Order) -> str:
    return Order.objects.get(pk=order.pk).status


def test_bulk_confirm_handles_each_order_separately(office: Browser) -> None:
    first, second, closed = make_order(), make_order(), make_order("cancelled")
    answer = run_action(office, "confirm", first, second, closed)
    assert shown_messages(answer)[:2] == [
        ("warning", "Confirm: 2 done, 1 refused."),
        ("warning", f"{closed}: An order that is “Cancelled” cannot become “Confirmed”."),
    ]
    assert [status_of(order) for order in (first, second, closed)] == ["confirmed", "confirmed", "cancelled"]
    last = first.history.last()
    assert last is not None
    assert (last.by, last.source) == (answer.context["user"], "admin")


def test_orders_refused_for_same_reason_share_one_message(office: Browser) -> None:
    closed = [make_order("cancelled"), make_order("cancelled"), make_order("delivered")]
    texts = [text for _, text in shown_messages(run_action(office, "confirm", *closed))]
    assert len(texts) == 3
    assert any(str(closed[0]) in text and str(closed[1]) in text for text in texts)


def test_mark_urgent_sets_priority(office: Browser) -> None:
    order = make_order()
    assert shown_messages(run_action(office, "mark_urgent", order)) == [
        ("success", "Mark as urgent: 1 done, 0 refused.")
    ]
    assert Order.objects.get(pk=order.pk).priority == "urgent"


def submit_action_form(office: Browser, action: str, *orders: Order, **submitted: Any) -> Any:
    page = run_action(office, action, *orders)
    assert all(str(order) in page.content.decode() for order in orders)
    fields = Forms(page.content.decode()).forms[""]
    assert int(fields["_selected_action"]) == max(order.pk for order in orders)
    return run_action(office, fields["action"], *orders, answered=fields["answered"], **submitted)


def test_assign_asks_for_the_driver(office: Browser) -> None:
    driver, orders = make_driver(), [make_order("confirmed"), make_order("assigned"), make_order()]
    answer = submit_action_form(office, "assign", *orders, driver=driver.pk)
    assert shown_messages(answer)[0] == ("warning", "Assign to a driver: 2 done, 1 refused.")
    assert [Order.objects.get(pk=order.pk).driver for order in orders] == [driver, driver, None]


def test_cancel_asks_for_the_reason(office: Browser) -> None:
    order = make_order()
    submit_action_form(office, "cancel", order, reason="客戶來電取消")
    assert status_of(order) == OrderStatus.CANCELLED
    last = order.history.last()
    assert last is not None
    assert last.reason == "客戶來電取消"


@pytest.mark.parametrize(
    ("action", "submitted"),
    [("cancel", {"reason": ""}), ("cancel", {}), ("assign", {"driver": "abc"}), ("cancel", {"reason": "x" * 501})],
)
def test_invalid_action_form_is_shown_again(office: Browser, action: str, submitted: dict[str, str]) -> None:
    order = make_order("confirmed")
    answer = submit_action_form(office, action, order, **submitted)
    assert 'class="errorlist"' in answer.content.decode()
    assert status_of(order) == OrderStatus.CONFIRMED


def test_inactive_driver_cannot_be_assigned(office: Browser) -> None:
    driver, order = make_driver(is_active=False), make_order("confirmed")
    submit_action_form(office, "assign", order, driver=driver.pk)
    assert status_of(order) == OrderStatus.CONFIRMED


def test_action_form_links_back_to_filtered_list(office: Browser) -> None:
    order = make_order()
    path = f"{LIST}?status__exact=pending"
    page = office.post(path, {"action": "cancel", "_selected_action": [order.pk], "index": 0})
    assert f'href="{path}"' in page.content.decode()


@pytest.mark.parametrize("chosen", ["abc", "\0", "9" * 40, "-1", "１"])
def test_invalid_selection_shows_error(office: Browser, chosen: str) -> None:
    answer = office.post(LIST, {"action": "confirm", "_selected_action": [chosen]})
    assert shown_messages(answer) == [("error", "This selection is too large or cannot be read. Please select again.")]


def test_selection_over_limit_is_refused_completely(office: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "MAX_AT_ONCE", 2)
    orders = [make_order() for _ in range(3)]
    submitted = {"action": "confirm", "select_across": 1, "_selected_action": [orders[0].pk], "index": 0}
    answer = office.post(LIST, submitted)
    assert [level for level, _ in shown_messages(answer)] == ["error"]
    assert {status_of(order) for order in orders} == {"pending"}


@pytest.mark.django_db(transaction=True)
def test_confirm_action_shows_sms_outcome() -> None:
    browser = sign_in(make_office())
    texts = [text for _, text in shown_messages(run_action(browser, "confirm", make_order(), make_order()))]
    assert "Message “order confirmed”: Sent (2)" in texts
