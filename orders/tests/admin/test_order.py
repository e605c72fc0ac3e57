from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from accounts.roles import Side
from orders.admin.badges import COLOUR, badge, money
from orders.models import Order, OrderItem
from orders.models.order import Proof
from orders.models.proof import store
from orders.states import MOVES, OrderStatus, moves_from
from orders.tests.admin.browser import Browser, Forms, change, errors, shown_messages, sign_in
from orders.tests.factories import (
    TODAY,
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_product,
    make_route,
    make_staff,
)
from orders.tests.test_proof_images import encoded
from orders.tests.threads import at_once
from web import admin

pytestmark = pytest.mark.django_db


LIST, ADD = reverse("admin:orders_order_changelist"), reverse("admin:orders_order_add")


def save(office: Browser, order: Order, **fields: Any) -> Any:
    """Opens the page, changes `fields` and saves."""
    path = change("order", order.pk)
    return office.post(path, office.form(path, "order_form") | fields)


def new_order(office: Browser, **fields: Any) -> Any:
    return office.post(ADD, office.form(ADD, "order_form") | {"scheduled_date": str(timezone.localdate())} | fields)


def test_list_shows_order_summary(office: Browser) -> None:
    customer = make_customer(name="王小姐<script>", phone="0912-345-678")
    driver = make_driver(name="陳志明")
    order = make_order("assigned", customer=customer, driver=driver, priority="urgent", quantity=2)
    shown = office.get(LIST)
    for text in (
        order.order_number, "badge plain", "Assigned", "badge urgent", "王小姐&lt;script&gt;", "0912-***-678", "陳志明",
        "20kg×2",
        "NT$1,600", "11/23", order.delivery_address,
    ):  # fmt: skip
        assert text in shown, text
    assert "912345678" not in shown


def count_queries(office: Browser, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        office.get(path)
    return len(queries)


def test_list_query_count_is_constant(office: Browser) -> None:
    route = make_route()
    make_order("assigned", route=route)
    office.get(LIST)  # read once per process
    few = count_queries(office, LIST)
    for _ in range(5):
        make_order("assigned", route=make_route())
    assert count_queries(office, LIST) == few


def test_page_query_count_is_constant(office: Browser) -> None:
    short, long = make_order("assigned"), make_order("assigned")
    for _ in range(3):
        long.transition_to("confirmed", by=make_office())
        long.assign(make_driver(), by=make_office())
        OrderItem.objects.create(order=long, product=make_product(), quantity=1)
    office.get(change("order", short.pk))
    assert count_queries(office, change("order", long.pk)) == count_queries(office, change("order", short.pk))


@pytest.mark.parametrize("term", ["number", "洪", "仁愛路", "345678", "0934-345"])
def test_search_finds_by_number_name_address_and_telephone(office: Browser, term: str) -> None:
    order = make_order(customer=make_customer(name="洪先生", phone="0934-345-678", address="台北市大安區仁愛路1號"))
    other = make_order()
    shown = office.get(LIST, q=order.order_number if term == "number" else term)
    assert order.order_number in shown
    assert other.order_number not in shown


@pytest.mark.parametrize(
    "name", ["status__exact", "priority__exact", "area", "time_slot__exact", "driver__id__exact", "route__id__exact"]
)
def test_list_is_filtered(office: Browser, name: str) -> None:
    driver = make_driver()
    route = make_route(driver=driver)
    order = make_order("assigned", priority="urgent", time_slot="evening", route=route, driver=driver)
    other = make_order(customer=make_customer(address="台北市中正區羅斯福路1號"))
    shown = office.get(LIST)
    assert shown.index(order.order_number) < shown.index(other.order_number)  # the urgent one
    value = getattr(order, name.partition("__")[0])
    shown = office.get(LIST, **{name: getattr(value, "pk", value)})
    assert order.order_number in shown
    assert other.order_number not in shown


def test_filter_offers_recent_routes_only(office: Browser) -> None:
    make_route(name="舊路線", date=timezone.localdate() - timedelta(days=30))
    make_route(name="新路線")
    make_route(name="另一條")
    shown = office.get(LIST)
    assert "新路線" in shown
    assert "舊路線" not in shown


@pytest.mark.parametrize("language", ["zh-hant", "en"])
@pytest.mark.parametrize("path", [LIST, ADD, "page"])
def test_pages_open_in_both_languages(office: Browser, language: str, path: str) -> None:
    order = make_order("delivered")
    answer = office.client.get(
        change("order", order.pk) if path == "page" else path, headers={"accept-language": language}
    )
    assert answer.status_code == 200
    assert f'lang="{language}"' in answer.content.decode()


def test_new_order_has_version_one_and_todays_prices(office: Browser) -> None:
    customer, product = make_customer(), make_product(price=760)
    submitted = {"customer": customer.pk, "items-0-product": product.pk, "items-0-quantity": 2}
    answer = new_order(office, **submitted)
    order = Order.objects.get()
    assert answer.redirect_chain == [(LIST, 302)]
    assert (order.version, order.amount_due, order.status) == (1, 1520, OrderStatus.PENDING)
    assert order.delivery_address == customer.address
    assert order.items.get().unit_price == 760
    history = order.history.get()
    assert (history.by, history.source) == (answer.context["user"], "admin")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"items-0-product": ""}, "required"),
        ({"items-0-quantity": 0}, "greater than or equal to 1"),
        ({"items-0-quantity": 1000}, "less than or equal to 999"),
        ({"scheduled_date": "2026-11-20"}, "is in the past"),
        ({"scheduled_date": "2028-01-01"}, "more than a year away"),
        ({"scheduled_date": "nonsense"}, "valid date"),
        ({"customer": "abc"}, "valid choice"),
        ({"customer": "9" * 40}, "valid choice"),
        ({"items-0-product": "\0"}, "Null characters"),
        ({"notes": "\0"}, "Null characters"),
        ({"inactive": ""}, "This customer is deactivated. Please activate the customer first."),
    ],
)
def test_invalid_new_order_shows_form_errors(office: Browser, wrong: dict[str, Any], message: str) -> None:
    right = {
        "customer": make_customer(is_active="inactive" not in wrong).pk,
        "items-0-product": make_product().pk,
        "items-0-quantity": 2,
    }
    assert message in "".join(errors(new_order(office, **(right | wrong))))
    assert not Order.objects.exists()


def test_inactive_product_is_not_offered_for_new_line(office: Browser) -> None:
    make_product(name="停售瓦斯桶", is_active=False)
    assert "停售瓦斯桶" not in office.get(ADD)
    product = make_product(name="舊瓦斯桶")
    order = make_order(product=product)
    product.is_active = False
    product.save()
    assert "舊瓦斯桶" in office.get(change("order", order.pk))


def test_saving_records_changed_fields_and_user(office: Browser) -> None:
    order = make_order()
    answer = save(office, order, notes="後門進", priority="urgent")
    order.refresh_from_db()
    assert answer.redirect_chain == [(LIST, 302)]
    assert (order.notes, order.priority, order.version) == ("後門進", "urgent", 2)


def test_saving_unchanged_form_keeps_version(office: Browser) -> None:
    order = make_order(eta=datetime(2026, 11, 23, 2, 0, 30, 500_000, tzinfo=UTC))
    save(office, order)
    assert Order.objects.get(pk=order.pk).version == 1


@pytest.mark.parametrize(
    ("before", "submitted", "after"),
    [
        ("confirmed", {"driver": True}, OrderStatus.ASSIGNED), ("assigned", {"driver": True}, OrderStatus.ASSIGNED),
        ("assigned", {"driver": ""}, OrderStatus.CONFIRMED),
        ("confirmed", {"route": True, "stop_sequence": 3}, OrderStatus.ASSIGNED),
    ],
)  # fmt: skip
def test_form_assigns_and_unassigns_driver(office: Browser, before: str, submitted: dict[str, Any], after: str) -> None:
    """True stands for another driver or that driver's route."""
    order, driver = make_order(before), make_driver()
    rows = {"driver": driver.pk, "route": make_route(driver=driver).pk}
    save(office, order, **{name: rows[name] if value is True else value for name, value in submitted.items()})
    order.refresh_from_db()
    assert (order.status, order.driver) == (after, None if submitted.get("driver") == "" else driver)
    assert order.stop_sequence == submitted.get("stop_sequence")
    last = order.history.last()
    assert last is not None
    assert (last.to_status, last.source) == (after, "admin")


def test_inactive_driver_is_not_offered(office: Browser) -> None:
    driver = make_driver(is_active=False)
    order = make_order("confirmed")
    assert "valid choice" in "".join(errors(save(office, order, driver=driver.pk)))
    assert Order.objects.get(pk=order.pk).status == OrderStatus.CONFIRMED


@pytest.mark.parametrize("status", ["pending", "delivering", "failed"])
def test_driver_is_read_only_before_confirmation_and_on_the_road(office: Browser, status: str) -> None:
    assert "driver" not in office.form(change("order", make_order(status).pk), "order_form")


def test_refusal_shows_field_error_and_saves_nothing(office: Browser) -> None:
    order, route = make_order("assigned"), make_route(driver=make_driver())
    answer = save(office, order, driver=make_driver().pk, route=route.pk, notes="新")
    assert errors(answer) == ["This route and this order have different drivers. Please choose another route."]
    assert "route" in answer.context["adminform"].form.errors
    order.refresh_from_db()
    assert (order.route, order.notes, order.version) == (None, "", 3)


@pytest.mark.parametrize("status", ["delivered", "cancelled"])
def test_only_notes_of_closed_order_can_change(office: Browser, status: str) -> None:
    order = make_order(status)
    form = office.form(change("order", order.pk), "order_form")
    assert {name for name in form if "-" not in name and not name.startswith("csrf")} == {"opened_version", "notes"}
    save(office, order, notes="鄰居代收", scheduled_date="2026-11-25", customer=make_customer().pk)
    after = Order.objects.get(pk=order.pk)
    assert (after.notes, after.scheduled_date, after.customer) == ("鄰居代收", TODAY, order.customer)


@pytest.mark.parametrize("path", ["{}delete/", "{}"])
def test_superuser_cannot_delete_order(admin_client: Any, path: str) -> None:
    order = make_order()
    data = {"post": "yes", "action": "delete_selected", "_selected_action": order.pk}
    target = change("order", order.pk).removesuffix("change/") if "delete" in path else LIST
    admin_client.post(path.format(target), data)
    assert Order.objects.filter(pk=order.pk).exists()


def test_page_shows_full_telephone_numbers(office: Browser) -> None:
    order = make_order(customer=make_customer(phone="0912-345-678", phone2="02-2930-0016"))
    shown = office.get(change("order", order.pk))
    assert '<a href="tel:+886912345678">0912-345-678</a>, <a href="tel:+886229300016">02-2930-0016</a>' in shown


def test_page_shows_customer_messages(office: Browser) -> None:
    order = make_order("confirmed")
    shown = office.get(change("order", order.pk))
    assert str(order.notifications.get().get_kind_display()) in shown


def test_driver_cannot_open_admin() -> None:
    browser = sign_in(make_driver().user)
    assert browser.client.get(LIST).headers["location"].startswith("/admin/login/")


def lines(order: Order) -> list[tuple[int, int, int]]:
    return [(item.product_id, item.quantity, item.unit_price) for item in order.items.all()]


def add(product: int, quantity: int, at: int = 1) -> dict[str, Any]:
    """A new line, as the page's script adds it."""
    return {
        "items-TOTAL_FORMS": at + 1, f"items-{at}-product": product, f"items-{at}-quantity": quantity,
    }  # fmt: skip


def test_quantity_change_updates_amount_in_one_version(office: Browser) -> None:
    order = make_order()
    save(office, order, **{"items-0-quantity": 3, "notes": "新"})
    order.refresh_from_db()
    assert (order.amount_due, order.version, order.notes) == (2400, 2, "新")


def test_existing_line_keeps_its_price(office: Browser) -> None:
    product = make_product(price=800)
    order = make_order(product=product)
    product.price = 900
    product.save()
    save(office, order, **{"items-0-quantity": 2, "items-0-unit_price": 1})
    assert lines(order) == [(product.pk, 2, 800)]


def test_new_line_gets_todays_price(office: Browser) -> None:
    order, product = make_order(), make_product(price=650)
    save(office, order, **add(product.pk, 2))
    order.refresh_from_db()
    assert lines(order)[1] == (product.pk, 2, 650)
    assert order.amount_due == 800 + 1300


def test_line_can_be_deleted(office: Browser) -> None:
    order, other = make_order(), make_product()
    remaining = OrderItem.objects.create(order=order, product=other, quantity=1)
    save(office, order, **{"items-0-DELETE": "on"})
    assert [pk for pk, _, _ in lines(order)] == [remaining.product_id]


@pytest.mark.parametrize(
    "wrong",
    [
        {"items-0-DELETE": "on"}, {"lines": 1}, {"lines": 21},
        {"items-TOTAL_FORMS": "abc"}, {"items-TOTAL_FORMS": ""}, {"items-0-id": "9" * 30},
        {"opened_version": ""}, {"opened_version": "abc"}, {"opened_version": "9" * 40}, {"opened_version": "-1"},
        {"stop_sequence": 0}, {"stop_sequence": 1000}, {"eta_0": "9999-12-31", "eta_1": "23:59"},
    ],
)  # fmt: skip
def test_invalid_form_saves_nothing(office: Browser, wrong: dict[str, Any]) -> None:
    """`lines` is the number of lines to add. The first has the product that is already in the order."""
    order = make_order(notes="舊")
    submitted = dict(wrong)
    products = [order.items.get().product_id, *(make_product().pk for _ in range(submitted.get("lines", 1) - 1))]
    for at, product in enumerate(products[: submitted.pop("lines", 0)], 1):
        submitted |= add(product, 1, at)
    assert save(office, order, notes="新", **submitted).status_code == 200
    assert lines(order) == [(products[0], 1, 800)]
    assert (Order.objects.get().version, Order.objects.get().notes) == (1, "舊")


@pytest.mark.parametrize("status", list(OrderStatus))
def test_items_are_editable_until_driver_sets_out(office: Browser, status: OrderStatus) -> None:
    order = make_order(status)
    is_open = status in (OrderStatus.PENDING, OrderStatus.CONFIRMED, OrderStatus.ASSIGNED)
    assert ("items-0-quantity" in office.form(change("order", order.pk), "order_form")) == is_open
    save(office, order, notes="新", **{"items-0-quantity": 5})
    assert lines(order)[0][1] == (5 if is_open else 1)
    assert Order.objects.get(pk=order.pk).notes == "新"


def test_stale_form_is_refused(office: Browser) -> None:
    order = make_order(notes="舊")
    path = change("order", order.pk)
    opened = office.form(path, "order_form")
    Order.objects.get(pk=order.pk).transition_to(OrderStatus.CONFIRMED)
    answer = office.post(path, opened | {"notes": "新", "items-0-quantity": 9})
    order.refresh_from_db()
    assert 'name="opened_version" value="1"' in answer.content.decode()  # refused when saved again, too
    assert "Someone else changed this order" in "".join(errors(answer))
    assert (order.status, order.notes, order.version) == ("confirmed", "舊", 2)
    assert order.items.get().quantity == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_saves_refuse_one() -> None:
    order = make_order()
    path = change("order", order.pk)
    browsers = [sign_in(make_office()) for _ in range(4)]
    forms = [browser.form(path, "order_form") for browser in browsers]

    def post(index: int) -> int:
        return browsers[index].client.post(path, forms[index] | {"notes": f"第{index}位"}).status_code

    assert sorted(at_once(post, range(4))) == [200, 200, 200, 302]
    assert Order.objects.get(pk=order.pk).version == 2


def move(order: Order, to: str) -> str:
    return reverse("admin:orders_order_move", args=[order.pk, to])


@pytest.mark.parametrize("status", OrderStatus)
def test_page_offers_only_allowed_moves(office: Browser, status: OrderStatus) -> None:
    order = make_order(status)
    shown = office.get(change("order", order.pk))
    allowed = set(moves_from(status, {Side.OFFICE}))
    assert {to for to in OrderStatus if f'"{move(order, to)}"' in shown} == allowed


@pytest.mark.parametrize(("before", "to"), MOVES)
def test_every_office_move_works_from_its_page(office: Browser, before: OrderStatus, to: OrderStatus) -> None:
    order = make_order(before)
    fields = Forms(office.get(move(order, to))).forms[""]
    submitted = fields | {"reason": "客戶來電"} | ({"driver": make_driver().pk} if to == OrderStatus.ASSIGNED else {})
    answer = office.post(move(order, to), submitted)
    order.refresh_from_db()
    assert (order.status, answer.redirect_chain) == (to, [(change("order", order.pk), 302)])
    last = order.history.last()
    assert last is not None
    assert (last.by, last.source) == (answer.context["user"], "admin")


def test_button_without_form_moves_at_once(office: Browser) -> None:
    order = make_order()
    button = Forms(office.get(change("order", order.pk))).forms[move(order, "confirmed")]
    answer = office.post(move(order, "confirmed"), button)
    assert ("success", f"Order {order} is now “Confirmed”.") in shown_messages(answer)
    assert Order.objects.get(pk=order.pk).status == OrderStatus.CONFIRMED


def test_get_shows_form_and_moves_nothing(office: Browser) -> None:
    order = make_order()
    office.get(move(order, "confirmed"))
    assert Order.objects.get(pk=order.pk).version == 1


def test_move_without_required_reason_asks_for_it(office: Browser) -> None:
    order = make_order()
    answer = office.post(move(order, "cancelled"), {"version": 1, "reason": " "})
    assert "This field is required." in answer.content.decode()
    assert Order.objects.get(pk=order.pk).status == OrderStatus.PENDING


def test_amount_collected_is_stored(office: Browser) -> None:
    order = make_order("arriving")
    office.post(move(order, "delivered"), {"version": order.version, "amount_collected": 500})
    assert Order.objects.get(pk=order.pk).amount_collected == 500


@pytest.mark.parametrize(
    ("before", "to"),
    [("pending", "confirmed"), ("confirmed", "assigned"), ("arriving", "delivered"), ("pending", "cancelled")],
)
def test_stale_page_moves_nothing(office: Browser, before: str, to: str) -> None:
    order = make_order(before)
    opened = Forms(office.get(move(order, to))).forms[""] | {"reason": "客戶來電", "driver": make_driver().pk}
    order.notes = "改地址"
    order.save()
    answer = office.post(move(order, to), opened)
    assert "Someone else changed this order" in shown_messages(answer)[0][1]
    assert Order.objects.get(pk=order.pk).status == before


def test_forbidden_move_shows_error(office: Browser) -> None:
    order = make_order()
    answer = office.post(move(order, "arriving"), {"version": 1})
    assert shown_messages(answer) == [("error", f"{order}: An order that is “Pending” cannot become “Arriving”.")]


@pytest.mark.parametrize("to", ["pending", "nonsense"])
def test_unknown_move_is_404(office: Browser, to: str) -> None:
    office.get(move(make_order(), to), status=404)


@pytest.mark.parametrize("pk", [0, 10**30])
def test_move_of_unknown_order_is_404(office: Browser, pk: int) -> None:
    office.get(reverse("admin:orders_order_move", args=[pk, "confirmed"]), status=404)


def test_button_needs_csrf_token(office: Browser) -> None:
    office.client.handler.enforce_csrf_checks = True
    order = make_order()
    assert office.post(move(order, "confirmed"), {"version": 1}).status_code == 403


def test_only_manager_cancels_delivered_order() -> None:
    order = make_order(OrderStatus.DELIVERED)
    clerk, manager = sign_in(make_staff()), sign_in(make_staff("manager"))
    submitted = {"version": order.version, "reason": "it was the neighbour's"}
    assert move(order, "cancelled") not in clerk.get(change("order", order.pk))
    refused = clerk.post(move(order, "cancelled"), submitted)
    assert (refused.status_code, "Only a manager or the owner may do this." in refused.content.decode()) == (403, True)
    assert Order.objects.get(pk=order.pk).status == OrderStatus.DELIVERED
    assert move(order, "cancelled") in manager.get(change("order", order.pk))
    manager.post(move(order, "cancelled"), submitted)
    assert Order.objects.get(pk=order.pk).status == OrderStatus.CANCELLED


def choose(office: Browser, action: str, *orders: Order, **more: Any) -> Any:
    return office.post(LIST, {"action": action, "_selected_action": [order.pk for order in orders]} | more)


def status_of(order: Order) -> str:
    return Order.objects.get(pk=order.pk).status


def test_bulk_confirm_handles_each_order_separately(office: Browser) -> None:
    first, second, closed = make_order(), make_order(), make_order("cancelled")
    answer = choose(office, "confirm", first, second, closed)
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
    texts = [text for _, text in shown_messages(choose(office, "confirm", *closed))]
    assert len(texts) == 3
    assert any(str(closed[0]) in text and str(closed[1]) in text for text in texts)


def test_mark_urgent_sets_priority(office: Browser) -> None:
    order = make_order()
    assert shown_messages(choose(office, "mark_urgent", order)) == [("success", "Mark as urgent: 1 done, 0 refused.")]
    assert Order.objects.get(pk=order.pk).priority == "urgent"


def answer_form(office: Browser, action: str, *orders: Order, **submitted: Any) -> Any:
    page = choose(office, action, *orders)
    assert all(str(order) in page.content.decode() for order in orders)
    fields = Forms(page.content.decode()).forms[""]
    assert int(fields["_selected_action"]) == max(order.pk for order in orders)
    return choose(office, fields["action"], *orders, answered=fields["answered"], **submitted)


def test_assign_asks_for_the_driver(office: Browser) -> None:
    driver, orders = make_driver(), [make_order("confirmed"), make_order("assigned"), make_order()]
    answer = answer_form(office, "assign", *orders, driver=driver.pk)
    assert shown_messages(answer)[0] == ("warning", "Assign to a driver: 2 done, 1 refused.")
    assert [Order.objects.get(pk=order.pk).driver for order in orders] == [driver, driver, None]


def test_cancel_asks_for_the_reason(office: Browser) -> None:
    order = make_order()
    answer_form(office, "cancel", order, reason="客戶來電取消")
    assert status_of(order) == OrderStatus.CANCELLED
    last = order.history.last()
    assert last is not None
    assert last.reason == "客戶來電取消"


@pytest.mark.parametrize(
    ("action", "submitted"),
    [("cancel", {"reason": ""}), ("cancel", {}), ("assign", {"driver": "abc"}), ("cancel", {"reason": "x" * 501})],
)
def test_invalid_answer_shows_form_again(office: Browser, action: str, submitted: dict[str, str]) -> None:
    order = make_order("confirmed")
    answer = answer_form(office, action, order, **submitted)
    assert 'class="errorlist"' in answer.content.decode()
    assert status_of(order) == OrderStatus.CONFIRMED


def test_no_action_offers_inactive_driver(office: Browser) -> None:
    driver, order = make_driver(is_active=False), make_order("confirmed")
    answer_form(office, "assign", order, driver=driver.pk)
    assert status_of(order) == OrderStatus.CONFIRMED


def test_action_form_keeps_list_filter(office: Browser) -> None:
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
    texts = [text for _, text in shown_messages(choose(browser, "confirm", make_order(), make_order()))]
    assert any("SMS" in text and "(2)" in text for text in texts)


def test_history_shows_user_move_reason_and_source(office: Browser) -> None:
    order = make_order()
    order.transition_to("cancelled", by=make_office(first_name="林會計"), source="rest", reason="客戶改日再訂")
    shown = office.get(change("order", order.pk))
    for text in ("林會計", "客戶改日再訂", "API", "badge waiting", "badge over"):
        assert text in shown, text


def test_proof_of_delivery_is_shown(office: Browser) -> None:
    order = make_order("arriving")
    order.transition_to("delivered", proof=Proof("qr_code", ["CYL789"]))
    shown = office.get(change("order", order.pk))
    assert "CYL789" in shown
    assert "QR code" in shown


def test_move_reported_later_is_marked(office: Browser) -> None:
    order = make_order("assigned", created_at=timezone.now() - timedelta(hours=1))
    path, mark = change("order", order.pk), "done offline, reported later"
    order.transition_to("delivering", at=timezone.now() - timedelta(seconds=50))
    assert mark not in office.get(path)
    order.transition_to("arriving", at=timezone.now() - timedelta(seconds=70))
    assert office.get(path).count(mark) == 1


def test_signatures_and_photos_are_shown(office: Browser) -> None:
    order = make_order("delivered")
    image = SimpleUploadedFile("s.jpg", encoded(), "image/jpeg")
    stored = store(Order.objects.all(), "signature", image, by=make_office())
    assert f'src="/api/v1/orders/{order.pk}/proof-images/{stored.pk}/"' in office.get(change("order", order.pk))


def test_history_is_read_only(office: Browser) -> None:
    order = make_order("confirmed")
    path = change("order", order.pk)
    submitted = {"history-0-reason": "other", "history-TOTAL_FORMS": 3, "history-2-to_status": "delivered"}
    office.post(path, office.form(path, "order_form") | submitted)
    assert [(row.to_status, row.reason) for row in order.history.all()] == [("pending", ""), ("confirmed", "測試")]


def test_every_status_has_colour() -> None:
    assert set(COLOUR) == set(OrderStatus)


def test_badge_has_label_and_colour() -> None:
    with translation.override("en"):
        assert badge("delivered") == '<span class="badge good">Delivered</span>'


@pytest.mark.parametrize(("amount", "shown"), [(None, "–"), (0, "NT$0"), (1234567, "NT$1,234,567")])
def test_money_has_thousands_separators(amount: int | None, shown: str) -> None:
    assert money(amount) == shown
