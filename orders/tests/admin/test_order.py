from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from orders.models import Order, OrderItem
from orders.states import Status
from orders.tests.admin.browser import Browser, change, errors, sign_in
from orders.tests.factories import (
    TODAY,
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_product,
    make_route,
)

pytestmark = pytest.mark.django_db
LIST, ADD = reverse("admin:orders_order_changelist"), reverse("admin:orders_order_add")


def save(office: Browser, order: Order, **fields: Any) -> Any:
    """Opens the page, changes `fields` and saves."""
    path = change("order", order.pk)
    return office.post(path, office.form(path, "order_form") | fields)


def new_order(office: Browser, **fields: Any) -> Any:
    return office.post(ADD, office.form(ADD, "order_form") | {"scheduled_date": str(timezone.localdate())} | fields)


def test_list_shows_an_order_at_a_glance(office: Browser) -> None:
    customer = make_customer(name="王小姐<script>", phone="0912-345-678")
    driver = make_driver(name="陳志明")
    order = make_order("assigned", customer=customer, driver=driver, priority="urgent", quantity=2)
    shown = office.get(LIST)
    for text in (
        order.order_number, "badge plain", "Assigned", "badge urgent", "王小姐&lt;script&gt;", "0912-***-678", "陳志明",
        "20kg×2",
        "NT$ 1,600", "11/23", order.delivery_address,
    ):  # fmt: skip
        assert text in shown, text
    assert "912345678" not in shown


def count_queries(office: Browser, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        office.get(path)
    return len(queries)


def test_list_takes_the_same_queries_for_any_length(office: Browser) -> None:
    route = make_route()
    make_order("assigned", route=route)
    office.get(LIST)  # what is read once a process
    few = count_queries(office, LIST)
    for _ in range(5):
        make_order("assigned", route=make_route())
    assert count_queries(office, LIST) == few


def test_page_takes_the_same_queries_for_any_history_and_number_of_items(office: Browser) -> None:
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


def test_new_order_is_one_version_at_todays_prices(office: Browser) -> None:
    customer, product = make_customer(), make_product(price=760)
    said = {"customer": customer.pk, "items-0-product": product.pk, "items-0-quantity": 2}
    answer = new_order(office, **said)
    order = Order.objects.get()
    assert answer.redirect_chain == [(LIST, 302)]
    assert (order.version, order.amount_due, order.status) == (1, 1520, Status.PENDING)
    assert order.delivery_address == customer.address
    assert order.items.get().unit_price == 760
    history = order.history.get()
    assert (history.by, history.source) == (answer.context["user"], "admin")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"items-0-product": ""}, "required"),
        ({"items-0-quantity": 0}, "greater than or equal to 1"),
        ({"items-0-quantity": 1000}, "less than or equal to 999"),
        ({"scheduled_date": "2026-11-20"}, "lies in the past"),
        ({"scheduled_date": "2028-01-01"}, "more than a year away"),
        ({"scheduled_date": "nonsense"}, "valid date"),
        ({"customer": "abc"}, "valid choice"),
        ({"customer": "9" * 40}, "valid choice"),
        ({"items-0-product": "\0"}, "Null characters"),
        ({"notes": "\0"}, "Null characters"),
        ({"inactive": ""}, "This customer is no longer active."),
    ],
)
def test_new_order_that_is_wrong_is_an_error_of_the_form(office: Browser, wrong: dict[str, Any], said: str) -> None:
    right = {
        "customer": make_customer(is_active="inactive" not in wrong).pk,
        "items-0-product": make_product().pk,
        "items-0-quantity": 2,
    }
    assert said in "".join(errors(new_order(office, **(right | wrong))))
    assert not Order.objects.exists()


def test_product_no_longer_sold_is_not_offered_for_a_new_line(office: Browser) -> None:
    make_product(name="停售瓦斯桶", is_active=False)
    assert "停售瓦斯桶" not in office.get(ADD)
    product = make_product(name="舊瓦斯桶")
    order = make_order(product=product)
    product.is_active = False
    product.save()
    assert "舊瓦斯桶" in office.get(change("order", order.pk))


def test_saving_writes_what_was_changed_and_who_did_it(office: Browser) -> None:
    order = make_order()
    answer = save(office, order, notes="後門進", priority="urgent")
    order.refresh_from_db()
    assert answer.redirect_chain == [(LIST, 302)]
    assert (order.notes, order.priority, order.version) == ("後門進", "urgent", 2)


def test_saving_without_a_change_makes_no_new_version(office: Browser) -> None:
    order = make_order(eta=datetime(2026, 11, 23, 2, 0, 30, 500_000, tzinfo=UTC))
    save(office, order)
    assert Order.objects.get(pk=order.pk).version == 1


@pytest.mark.parametrize(
    ("before", "said", "after"),
    [
        ("confirmed", {"driver": True}, Status.ASSIGNED), ("assigned", {"driver": True}, Status.ASSIGNED),
        ("assigned", {"driver": ""}, Status.CONFIRMED),
        ("confirmed", {"route": True, "stop_sequence": 3}, Status.ASSIGNED),
    ],
)  # fmt: skip
def test_the_form_gives_the_order_to_a_driver_or_takes_it_back(
    office: Browser, before: str, said: dict[str, Any], after: str
) -> None:
    """True is another driver, and the route of that one."""
    order, driver = make_order(before), make_driver()
    rows = {"driver": driver.pk, "route": make_route(driver=driver).pk}
    save(office, order, **{name: rows[name] if value is True else value for name, value in said.items()})
    order.refresh_from_db()
    assert (order.status, order.driver) == (after, None if said.get("driver") == "" else driver)
    assert order.stop_sequence == said.get("stop_sequence")
    last = order.history.last()
    assert last is not None
    assert (last.to_status, last.source) == (after, "admin")


def test_driver_who_is_inactive_is_not_offered(office: Browser) -> None:
    driver = make_driver(is_active=False)
    order = make_order("confirmed")
    assert "valid choice" in "".join(errors(save(office, order, driver=driver.pk)))
    assert Order.objects.get(pk=order.pk).status == Status.CONFIRMED


@pytest.mark.parametrize("status", ["pending", "delivering", "failed"])
def test_driver_is_fixed_where_it_could_not_change(office: Browser, status: str) -> None:
    assert "driver" not in office.form(change("order", make_order(status).pk), "order_form")


def test_refusal_is_an_error_of_its_field_and_nothing_is_saved(office: Browser) -> None:
    order, route = make_order("assigned"), make_route(driver=make_driver())
    answer = save(office, order, driver=make_driver().pk, route=route.pk, notes="新")
    assert errors(answer) == ["This route is driven by someone else than this order."]
    assert "route" in answer.context["adminform"].form.errors
    order.refresh_from_db()
    assert (order.route, order.notes, order.version) == (None, "", 3)


@pytest.mark.parametrize("status", ["delivered", "cancelled"])
def test_closed_order_takes_notes_only(office: Browser, status: str) -> None:
    order = make_order(status)
    form = office.form(change("order", order.pk), "order_form")
    assert {name for name in form if "-" not in name and not name.startswith("csrf")} == {"opened_version", "notes"}
    save(office, order, notes="鄰居代收", scheduled_date="2026-11-25", customer=make_customer().pk)
    after = Order.objects.get(pk=order.pk)
    assert (after.notes, after.scheduled_date, after.customer) == ("鄰居代收", TODAY, order.customer)


@pytest.mark.parametrize("path", ["{}delete/", "{}"])
def test_not_even_a_superuser_deletes_an_order(admin_client: Any, path: str) -> None:
    order = make_order()
    data = {"post": "yes", "action": "delete_selected", "_selected_action": order.pk}
    target = change("order", order.pk).removesuffix("change/") if "delete" in path else LIST
    admin_client.post(path.format(target), data)
    assert Order.objects.filter(pk=order.pk).exists()


def test_page_shows_who_is_to_be_called_in_full(office: Browser) -> None:
    order = make_order(customer=make_customer(phone="0912-345-678", phone2="02-2930-0016"))
    shown = office.get(change("order", order.pk))
    assert '<a href="tel:+886912345678">0912-345-678</a>, <a href="tel:+886229300016">02-2930-0016</a>' in shown


def test_messages_to_the_customer_are_on_the_page(office: Browser) -> None:
    order = make_order("confirmed")
    shown = office.get(change("order", order.pk))
    assert str(order.notifications.get().get_kind_display()) in shown


def test_driver_is_no_staff() -> None:
    browser = sign_in(make_driver().user)
    assert browser.client.get(LIST).headers["location"].startswith("/admin/login/")
