from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dispatch.models import Route
from orders.models import Order
from orders.tests.admin.browser import Browser, change_url, form_errors, shown_messages, sign_in
from orders.tests.factories import make_driver, make_order, make_route, make_user

pytestmark = pytest.mark.django_db
LIST, ADD = reverse("admin:dispatch_route_changelist"), reverse("admin:dispatch_route_add")


def save(office: Browser, route: Route, **fields: Any) -> Any:
    path = change_url("route", route.pk)
    return office.post(path, office.form(path, "route_form") | fields)


def stop_of(order: Order) -> int | None:
    return Order.objects.get(pk=order.pk).stop_sequence


def test_list_counts_stops_in_constant_number_of_queries(office: Browser) -> None:
    busy = make_route(driver=make_driver())
    for status in ("pending", "confirmed", "cancelled"):
        make_order(status, route=busy)
    office.get(LIST)
    with CaptureQueriesContext(connection) as few:
        assert '<td class="field-total_stops">2</td>' in office.get(LIST)
    for _ in range(4):
        make_order(route=make_route(driver=make_driver()))
    with CaptureQueriesContext(connection) as more:
        office.get(LIST)
    assert len(more) == len(few)


def test_stops_are_listed_in_sequence(office: Browser) -> None:
    route = make_route()
    last, first, loose = (make_order(route=route, stop_sequence=stop) for stop in (2, 1, None))
    shown = office.get(change_url("route", route.pk))
    places = [shown.index(change_url("order", order.pk)) for order in (first, last, loose)]
    assert places == sorted(places)


def test_page_query_count_is_constant(office: Browser) -> None:
    one, many = make_route(), make_route()
    for route, stops in ((one, 1), (many, 5)):
        for stop in range(stops):
            make_order(route=route, stop_sequence=stop + 1)
    counts = []
    for route in (one, one, many):
        with CaptureQueriesContext(connection) as queries:
            office.get(change_url("route", route.pk))
        counts.append(len(queries))
    assert counts[1] == counts[2]


def test_stops_can_be_resequenced(office: Browser) -> None:
    route = make_route()
    first, second = (make_order(route=route, stop_sequence=stop) for stop in (1, 2))
    answer = save(office, route, **{"orders-0-stop_sequence": 2, "orders-1-stop_sequence": 1})
    assert (stop_of(first), stop_of(second)) == (2, 1)
    assert answer.redirect_chain == [(LIST, 302)]


def test_unchanged_stop_keeps_version(office: Browser) -> None:
    route = make_route()
    order = make_order(route=route, stop_sequence=1)
    save(office, route, name="新名")
    assert Order.objects.get(pk=order.pk).version == 1
    assert Route.objects.get().name == "新名"


def test_stop_changed_after_page_was_opened_is_refused(office: Browser) -> None:
    route = make_route(name="舊名")
    order = make_order(route=route, stop_sequence=1)
    path = change_url("route", route.pk)
    form = office.form(path, "route_form")
    order.stop_sequence = 5
    order.save()
    answer = office.post(path, form | {"orders-0-stop_sequence": 2, "name": "新名"})
    assert "This order has changed since you loaded it" in "".join(form_errors(answer))
    assert (stop_of(order), Route.objects.get().name) == (5, "舊名")


def test_stop_can_move_if_only_status_changed_after_page_was_opened(office: Browser) -> None:
    route = make_route(driver=make_driver())
    order = make_order("assigned", route=route, driver=route.driver, stop_sequence=1)
    path = change_url("route", route.pk)
    form = office.form(path, "route_form")
    order.transition_to("delivering")
    office.post(path, form | {"orders-0-stop_sequence": 2})
    assert stop_of(order) == 2


@pytest.mark.parametrize("stop", [0, 1000, "abc", "9" * 30])
def test_invalid_stop_number_is_refused(office: Browser, stop: object) -> None:
    route = make_route()
    order = make_order(route=route, stop_sequence=1)
    assert form_errors(save(office, route, **{"orders-0-stop_sequence": stop}))
    assert stop_of(order) == 1


def test_stop_of_closed_order_is_read_only(office: Browser) -> None:
    route = make_route()
    order = make_order("cancelled", route=route, stop_sequence=1)
    answer = save(office, route, **{"orders-0-stop_sequence": 2})
    assert answer.redirect_chain == [(LIST, 302)]
    assert stop_of(order) == 1


def test_route_can_be_created(office: Browser) -> None:
    driver = make_driver()
    data = {"name": "大安", "date": str(timezone.localdate()), "driver": driver.pk, "status": "planned"}
    office.post(ADD, office.form(ADD, "route_form") | data)
    assert Route.objects.get().driver == driver


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "nonsense"])
def test_invalid_or_distant_route_date_is_refused(office: Browser, day: str) -> None:
    data = {"name": "大安", "date": day, "status": "planned"}
    assert form_errors(office.post(ADD, office.form(ADD, "route_form") | data))
    assert not Route.objects.exists()


def assign_url(route: Route) -> str:
    return reverse("admin:dispatch_route_assign", args=[route.pk])


def test_assign_gives_route_and_confirmed_orders_to_driver(office: Browser) -> None:
    route, driver = make_route(), make_driver()
    ready, waiting = make_order("confirmed", route=route), make_order(route=route)
    assert assign_url(route) in office.get(change_url("route", route.pk))
    office.get(assign_url(route))
    answer = office.post(assign_url(route), {"driver": driver.pk})
    assert shown_messages(answer)[0] == ("warning", "Assign to a driver: 1 done, 1 refused.")
    assert Route.objects.get().driver == driver
    assert [Order.objects.get(pk=order.pk).driver for order in (ready, waiting)] == [driver, None]


def test_form_cannot_change_driver(office: Browser) -> None:
    route = make_route(driver=make_driver())
    save(office, route, driver=make_driver().pk)
    assert Route.objects.get().driver == route.driver


def test_assigning_needs_permission() -> None:
    route = make_route()
    assert sign_in(make_user()).client.post(assign_url(route), {"driver": make_driver().pk}).status_code == 302
    assert Route.objects.get().driver is None
