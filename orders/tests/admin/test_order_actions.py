from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from orders.models import Order
from orders.states import Status
from orders.tests.admin.browser import Browser, Forms, sign_in, told
from orders.tests.factories import make_driver, make_office, make_order
from web import admin

pytestmark = pytest.mark.django_db
LIST = reverse("admin:orders_order_changelist")


def choose(office: Browser, action: str, *orders: Order, **more: Any) -> Any:
    return office.post(LIST, {"action": action, "_selected_action": [order.pk for order in orders]} | more)


def status_of(order: Order) -> str:
    return Order.objects.get(pk=order.pk).status


def test_confirm_does_each_on_its_own_merit(office: Browser) -> None:
    first, second, closed = make_order(), make_order(), make_order("cancelled")
    answer = choose(office, "confirm", first, second, closed)
    assert told(answer)[:2] == [
        ("warning", "Confirm: 2 done, 1 refused."),
        ("warning", f"{closed}: An order that is “Cancelled” cannot become “Confirmed”."),
    ]
    assert [status_of(order) for order in (first, second, closed)] == ["confirmed", "confirmed", "cancelled"]
    last = first.history.last()
    assert last is not None
    assert (last.by, last.source) == (answer.context["user"], "admin")


def test_orders_refused_for_one_reason_are_told_together(office: Browser) -> None:
    closed = [make_order("cancelled"), make_order("cancelled"), make_order("delivered")]
    texts = [text for _, text in told(choose(office, "confirm", *closed))]
    assert len(texts) == 3
    assert any(str(closed[0]) in text and str(closed[1]) in text for text in texts)


def test_mark_urgent(office: Browser) -> None:
    order = make_order()
    assert told(choose(office, "mark_urgent", order)) == [("success", "Mark as urgent: 1 done, 0 refused.")]
    assert Order.objects.get(pk=order.pk).priority == "urgent"


def asked(office: Browser, action: str, *orders: Order, **said: Any) -> Any:
    page = choose(office, action, *orders)
    assert all(str(order) in page.content.decode() for order in orders)
    fields = Forms(page.content.decode()).forms[""]
    assert int(fields["_selected_action"]) == max(order.pk for order in orders)
    return choose(office, fields["action"], *orders, answered=fields["answered"], **said)


def test_assign_asks_for_the_driver(office: Browser) -> None:
    driver, orders = make_driver(), [make_order("confirmed"), make_order("assigned"), make_order()]
    answer = asked(office, "assign", *orders, driver=driver.pk)
    assert told(answer)[0] == ("warning", "Assign to a driver: 2 done, 1 refused.")
    assert [Order.objects.get(pk=order.pk).driver for order in orders] == [driver, driver, None]


def test_cancel_asks_for_the_reason(office: Browser) -> None:
    order = make_order()
    asked(office, "cancel", order, reason="客戶來電取消")
    assert status_of(order) == Status.CANCELLED
    last = order.history.last()
    assert last is not None
    assert last.reason == "客戶來電取消"


@pytest.mark.parametrize(
    ("action", "said"),
    [("cancel", {"reason": ""}), ("cancel", {}), ("assign", {"driver": "abc"}), ("cancel", {"reason": "x" * 501})],
)
def test_answer_that_cannot_be_read_is_asked_again(office: Browser, action: str, said: dict[str, str]) -> None:
    order = make_order("confirmed")
    answer = asked(office, action, order, **said)
    assert 'class="errorlist"' in answer.content.decode()
    assert status_of(order) == Status.CONFIRMED


def test_driver_who_is_inactive_is_not_offered(office: Browser) -> None:
    driver, order = make_driver(is_active=False), make_order("confirmed")
    asked(office, "assign", order, driver=driver.pk)
    assert status_of(order) == Status.CONFIRMED


def test_asking_keeps_the_filter_of_the_list(office: Browser) -> None:
    order = make_order()
    path = f"{LIST}?status__exact=pending"
    page = office.post(path, {"action": "cancel", "_selected_action": [order.pk], "index": 0})
    assert f'href="{path}"' in page.content.decode()


@pytest.mark.parametrize("chosen", ["abc", "\0", "9" * 40, "-1", "１"])
def test_selection_that_is_nonsense_is_told(office: Browser, chosen: str) -> None:
    answer = office.post(LIST, {"action": "confirm", "_selected_action": [chosen]})
    assert told(answer) == [("error", "This selection cannot be read; please select again.")]


def test_more_than_one_page_can_change_is_refused_whole(office: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "MOST_AT_ONCE", 2)
    orders = [make_order() for _ in range(3)]
    said = {"action": "confirm", "select_across": 1, "_selected_action": [orders[0].pk], "index": 0}
    answer = office.post(LIST, said)
    assert [level for level, _ in told(answer)] == ["error"]
    assert {status_of(order) for order in orders} == {"pending"}


@pytest.mark.django_db(transaction=True)
def test_outcome_of_the_sms_is_told_too() -> None:
    browser = sign_in(make_office())
    texts = [text for _, text in told(choose(browser, "confirm", make_order(), make_order()))]
    assert any("SMS" in text and "(2)" in text for text in texts)
