"""The audit of orders, customers and products: who changed what, through which channel, and with how many queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import formats, timezone, translation

from catalogue.models import Product
from customers.models import Customer
from orders import services
from orders.models import Order
from orders.models.item import OrderLine
from orders.models.order import VersionConflict
from orders.states import OrderStatus
from orders.tests.admin.browser import admin_url
from orders.tests.api.client import make_api
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_product
from web.actors import Actor, Source
from web.admin import history_entries

pytestmark = pytest.mark.django_db


def rows(subject: Any) -> list[tuple[str | None, str]]:
    """User and source of each change, oldest first."""
    found = type(subject).audit.filter(id=subject.pk).order_by("history_id")
    return [(row.history_user and row.history_user.username, row.history_change_reason) for row in found]


def test_change_over_the_api_is_attributed_to_the_owner_of_the_token() -> None:
    product, api = make_product(price=800), make_api("office")
    assert api.user is not None
    api.patch(f"products/{product.pk}/", {"price": 850})
    assert rows(product) == [(None, "command"), (api.user.username, "rest")]
    assert list(Product.audit.filter(id=product.pk).values_list("price", flat=True)) == [850, 800]


def test_change_with_a_session_is_attributed_to_its_user() -> None:
    customer, user, client = make_customer(), make_office(), Client()
    client.force_login(user)
    path = f"/api/v1/customers/{customer.pk}/"
    assert client.patch(path, {"notes": "三樓"}, "application/json").status_code == 200
    assert rows(customer)[1:] == [(user.username, "page")]


def test_change_in_the_admin_is_attributed_to_its_user() -> None:
    product, user, client = make_product(price=800), make_office(is_superuser=True), Client()
    client.force_login(user)
    form = {name: getattr(product, name) for name in ("code", "name", "aliases", "cylinder_kg", "low_stock_threshold")}
    client.post(f"/admin/catalogue/product/{product.pk}/change/", form | {"price": 900, "is_active": "on"})
    assert rows(product)[1:] == [(user.username, "admin")]


def test_order_change_without_a_request_is_attributed_to_its_actor() -> None:
    order, user = make_order(), make_office()
    services.change(order, {"notes": "請按兩次鈴"}, Actor(user, Source.SOCKET))
    assert rows(order)[-1] == (user.username, "socket")


def test_save_without_audited_changes_writes_no_row() -> None:
    product, order = make_product(), make_order()
    Product.add_stock(product.pk, -3)
    Product.objects.get(pk=product.pk).save()
    order.save()
    order.transition_to(OrderStatus.CONFIRMED)
    assert (len(rows(product)), len(rows(order))) == (1, 1)


def test_assignment_of_a_driver_is_audited() -> None:
    order = make_order(OrderStatus.CONFIRMED)
    order.assign(make_driver(), by=make_office())
    assert len(rows(order)) == 2


def test_changed_items_are_recorded_as_text() -> None:
    product, office = make_product(), make_office()
    order = services.place(
        [OrderLine(product.pk, 2)], Actor(office), customer=make_customer(), scheduled_date=timezone.localdate()
    )
    services.change(order, {"items": [OrderLine(product.pk, 3)]}, Actor(office))
    services.change(order, {"notes": "三樓"}, Actor(office))
    items = list(Order.audit.filter(id=order.pk).order_by("history_id").values_list("items", flat=True))
    assert items == [f"{product} × 2", f"{product} × 3", ""]
    before = Order.audit.filter(id=order.pk, items=f"{product} × 3").values_list("before", flat=True)
    assert before.get()["items"] == f"{product} × 2"


def test_change_that_fails_with_a_version_conflict_writes_no_row() -> None:
    order = make_order()
    slower = Order.objects.get(pk=order.pk)
    services.change(order, {"notes": "first"}, Actor())
    slower.notes = "second"
    with transaction.atomic(), pytest.raises(VersionConflict):
        slower.save()
    assert len(rows(order)) == 2


def inserts(work: Any) -> int:
    with CaptureQueriesContext(connection) as queries:
        work()
    return sum("_historical" in query["sql"] and query["sql"].startswith("INSERT") for query in queries)


def test_status_change_inserts_no_audit_row_and_assignment_one() -> None:
    order, driver = make_order(), make_driver()
    assert inserts(lambda: order.transition_to(OrderStatus.CONFIRMED)) == 0
    assert inserts(lambda: order.assign(driver)) == 1
    assert inserts(lambda: order.transition_to(OrderStatus.DELIVERING)) == 0


def test_history_page_needs_as_many_queries_for_more_changes() -> None:
    user, client = make_office(is_superuser=True, first_name="陳玲"), Client(headers={"accept-language": "en"})
    client.force_login(user)
    order, drivers = make_order(), [make_driver() for _ in range(4)]
    services.change(
        order,
        {"delivery_address": "台北市大安區瑞安街1號", "scheduled_date": timezone.localdate() + timedelta(1)},
        Actor(user),
    )
    history_page, counts = f"/admin/orders/order/{order.pk}/history/", []
    for driver in drivers:
        services.change(order, {"notes": driver.name}, Actor(user, Source.PAGE))
        with CaptureQueriesContext(connection) as queries:
            shown = client.get(history_page).content.decode()
        counts.append(len(queries))
    assert len(set(counts[1:])) == 1  # the first request also reads the content types
    for text in ("陳玲", "瑞安街1號", drivers[0].name, "delivery address", "page"):
        assert text in shown


@pytest.mark.parametrize("model", [Customer, Product])
def test_customers_and_products_have_a_history_page(model: Any) -> None:
    row = make_customer() if model is Customer else make_product()
    row.name = "新名字"
    row.save()
    client = Client(headers={"accept-language": "en"})
    client.force_login(make_office(is_superuser=True))
    shown = client.get(admin_url(str(model._meta.model_name), "history", row.pk)).content.decode()
    assert "<ins>新名字</ins>" in shown


def last(row: Any) -> tuple[str, bool, list[tuple[str, Any, Any]]]:
    """The latest history entry: user, whether it created the row, and each difference (label, before, after)."""
    with translation.override("en"):
        entry = history_entries(type(row), str(row.pk))[0]
    values = [(change.label, change.before, change.after) for change in entry.differences]
    return entry.who, entry.is_first, values


def test_first_change_of_a_row_older_than_the_audit_is_shown() -> None:
    product, order, api = make_product(price=800), make_order(), make_api("office")
    Product.audit.all().delete()
    Order.audit.all().delete()
    api.patch(f"products/{product.pk}/", {"price": 850})
    assert last(product)[1:] == (False, [("price, NT$", "800", "850")])
    items = str(order.items.get())
    api.patch(f"orders/{order.pk}/", {"items": [{"product": product.pk, "quantity": 7}]})
    assert ("items", items, f"{product} × 7") in last(order)[2]


def test_change_that_bypassed_the_audit_is_not_attributed_to_the_next_user() -> None:
    product, api = make_product(price=800, name="n"), make_api("office")
    assert api.user is not None
    Product.objects.filter(pk=product.pk).unannounced().update(price=950)
    api.patch(f"products/{product.pk}/", {"name": "renamed"})
    assert last(product) == (api.user.username, False, [("name", "n", "renamed")])


def test_history_shows_old_dates_times_and_references() -> None:
    first, second, now = make_driver(name="陳"), make_driver(name="林"), timezone.now()
    order = make_order(OrderStatus.CONFIRMED)
    order.assign(first)
    order.eta = now
    order.save()
    day, order.scheduled_date = order.scheduled_date, order.scheduled_date + timedelta(1)
    order.driver, order.eta = second, None
    order.save()
    values = {label: (before, after) for label, before, after in last(order)[2]}
    assert values["driver"] == ("陳", "林")
    with translation.override("en"):
        assert values["delivery date"] == (formats.localize(day), formats.localize(day + timedelta(1)))
        assert values["expected at"] == (formats.localize(timezone.localtime(now)), "–")


def test_deletion_entry_has_no_differences() -> None:
    product = make_product(price=800)
    product.price = 850
    product.save()
    key = product.pk
    product.delete()
    assert history_entries(Product, str(key))[0].differences == []


def test_history_requires_the_right_to_view() -> None:
    customer, client = make_customer(), Client()
    client.force_login(make_driver().user)
    assert client.get(f"/admin/customers/customer/{customer.pk}/history/").status_code == 302
