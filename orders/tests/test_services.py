from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orders import services
from orders.lines import Line
from orders.models import Actor, Order, Priority, Source
from orders.refusals import Refusal
from orders.states import Status
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_product, make_route

pytestmark = pytest.mark.django_db


def make_actor() -> Actor:
    return Actor(make_office(), Source.REST)


def place(*lines: Line, **columns: Any) -> Order:
    usual = {"customer": make_customer(), "scheduled_date": timezone.localdate()}
    return services.place(lines, make_actor(), **(usual | columns))


def test_place_leaves_nothing_behind_when_refused() -> None:
    with pytest.raises(Refusal) as refused:
        place(Line(make_product().pk, 1), Line(999_999, 1))
    assert (refused.value.code, refused.value.attr) == ("unknown_product", "items.1.product")
    assert not Order.objects.exists()


def test_place_refuses_an_amount_no_column_holds() -> None:
    with pytest.raises(Refusal) as refused:
        place(Line(make_product(price=10_000_000).pk, 999))
    assert refused.value.code == "amount_too_large"


def test_bulk_update_assigns_many_with_few_queries() -> None:
    driver, actor = make_driver(), make_actor()
    ids = [make_order(Status.CONFIRMED).pk for _ in range(20)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        outcome = services.bulk_update(ids, {"driver": driver}, actor)
    assert (outcome.updated, outcome.failed) == (ids, [])
    assert len(queries) <= 6 * len(ids)
    assert Order.objects.filter(status=Status.ASSIGNED, driver=driver).count() == 20


def test_bulk_update_goes_on_after_a_refusal() -> None:
    ids = [make_order().pk, make_order(Status.CONFIRMED).pk, make_order().pk]
    outcome = services.bulk_update(ids, {"status": Status.CONFIRMED}, make_actor())
    assert (outcome.updated, [row["id"] for row in outcome.failed]) == ([ids[0], ids[2]], [ids[1]])
    assert Order.objects.filter(status=Status.CONFIRMED).count() == 3


def test_bulk_update_with_several_keys_is_all_or_nothing_an_order() -> None:
    good, bad = make_order(), make_order(Status.CONFIRMED)
    changes = {"priority": Priority.URGENT, "status": Status.CONFIRMED}
    outcome = services.bulk_update([good.pk, bad.pk], changes, make_actor())
    assert (outcome.updated, outcome.failed[0]["code"]) == ([good.pk], "invalid_transition")
    assert Order.objects.get(pk=good.pk).priority == Priority.URGENT
    assert Order.objects.get(pk=bad.pk).priority == Priority.NORMAL


def test_bulk_update_confirms_and_assigns_in_one_go() -> None:
    order, driver = make_order(), make_driver()
    outcome = services.bulk_update([order.pk], {"status": Status.CONFIRMED, "driver": driver}, make_actor())
    order.refresh_from_db()
    assert (outcome.updated, order.status, order.driver) == ([order.pk], Status.ASSIGNED, driver)


def test_bulk_update_cancels_with_a_reason() -> None:
    order, actor = make_order(), make_actor()
    assert services.bulk_update([order.pk], {"status": Status.CANCELLED}, actor).failed[0]["code"] == "reason_required"
    assert services.bulk_update([order.pk], {"status": Status.CANCELLED, "reason": "颱風"}, actor).failed == []
    assert order.history.filter(reason="颱風").exists()


def test_bulk_update_puts_orders_on_a_route_and_gives_them_its_driver() -> None:
    driver = make_driver()
    route, order = make_route(driver=driver), make_order(Status.CONFIRMED)
    services.bulk_update([order.pk], {"route": route}, make_actor())
    order.refresh_from_db()
    assert (order.route, order.driver, order.status) == (route, driver, Status.ASSIGNED)


def test_bulk_update_of_a_past_date_is_refused_for_each() -> None:
    order = make_order()
    outcome = services.bulk_update([order.pk], {"scheduled_date": date(2020, 1, 1)}, make_actor())
    assert outcome.failed[0]["code"] == "date_passed"


def test_a_driver_who_went_away_changes_nothing() -> None:
    order, driver = make_order(Status.CONFIRMED), make_driver(is_active=False)
    outcome = services.bulk_update([order.pk], {"driver": driver}, make_actor())
    order.refresh_from_db()
    assert (outcome.failed[0]["code"], order.status, order.driver) == ("driver_required", Status.CONFIRMED, None)


def test_assign_route_takes_nothing_off_the_road() -> None:
    first, second = make_driver(), make_driver()
    route = make_route(driver=first)
    driving = make_order(Status.DELIVERING, driver=first, route=route)
    waiting = make_order(Status.ASSIGNED, driver=first, route=route)
    outcome = services.assign_route(route.pk, second, make_actor())
    route.refresh_from_db()
    waiting.refresh_from_db()
    driving.refresh_from_db()
    assert (outcome.updated, [row["id"] for row in outcome.failed]) == ([waiting.pk], [driving.pk])
    assert (route.driver, waiting.driver, waiting.route, driving.driver) == (second, second, route, first)


def test_assign_route_twice_changes_nothing_more() -> None:
    driver, route = make_driver(), make_route()
    order = make_order(Status.CONFIRMED)
    order.route = route
    order.save()
    services.assign_route(route.pk, driver, make_actor())
    again = services.assign_route(route.pk, driver, make_actor())
    assert (again.updated, again.failed) == ([], [])


def test_a_stop_without_a_route_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        services.change(make_order(), {"stop_sequence": 4}, make_actor())
    assert (refused.value.code, refused.value.attr) == ("route_required", "stop_sequence")


def test_a_stop_leaves_with_its_route() -> None:
    order = make_order(route=make_route(), stop_sequence=4)
    services.change(order, {"route": None}, make_actor())
    order.refresh_from_db()
    assert (order.route, order.stop_sequence) == (None, None)
