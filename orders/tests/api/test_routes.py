from __future__ import annotations

import pytest

from dispatch.models import Route
from orders.states import Status
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import make_driver, make_order, make_route

pytestmark = pytest.mark.django_db


def test_office_makes_a_route() -> None:
    driver = make_driver()
    answer = make_api("office").post("routes/", {"date": "2026-11-23", "name": "大安", "driver": driver.pk})
    assert (answer.status_code, answer.json()["total_stops"], Route.objects.get().driver) == (201, 0, driver)


def test_total_stops_leaves_cancelled_ones_out() -> None:
    route, api = make_route(), make_api("office")
    for status in (Status.PENDING, Status.CONFIRMED, Status.CANCELLED):
        make_order(status, route=route)
    make_route()
    assert api.get(f"routes/{route.pk}/").json()["total_stops"] == make_stops(api)[route.pk]


def make_stops(api: Api) -> dict[int, int]:
    return {row["id"]: row["total_stops"] for row in api.get("routes/").json()["results"]}


def test_office_cancels_a_route() -> None:
    route = make_route()
    assert make_api("office").patch(f"routes/{route.pk}/", {"status": "cancelled"}).status_code == 200


def test_a_change_of_driver_goes_through_assign_driver() -> None:
    route, api = make_route(), make_api("office")
    answer = api.patch(f"routes/{route.pk}/", {"driver": make_driver().pk})
    assert (answer.status_code, codes(answer)) == (400, [("use_assign_driver", "driver")])


def test_assign_driver_gives_the_route_and_its_orders() -> None:
    route, driver = make_route(), make_driver()
    order, pending = make_order(Status.CONFIRMED, route=None), make_order(route=route)
    order.route = route
    order.save()
    answer = make_api("office").post(f"routes/{route.pk}/assign-driver/", {"driver": driver.pk})
    body = answer.json()
    order.refresh_from_db()
    assert (answer.status_code, body["route"], body["driver"], body["assigned"]) == (
        200, route.pk, driver.pk, [order.pk],
    )  # fmt: skip
    assert [(row["id"], row["code"]) for row in body["failed"]] == [(pending.pk, "invalid_transition")]
    assert (order.status, order.driver, order.route) == (Status.ASSIGNED, driver, route)


@pytest.mark.parametrize("driver", [None, 0, 999_999, "x"])
def test_assign_driver_needs_an_active_driver(driver: object) -> None:
    answer = make_api("office").post(f"routes/{make_route().pk}/assign-driver/", {"driver": driver})
    assert (answer.status_code, codes(answer)[0][1]) == (400, "driver")


def test_assign_driver_to_a_route_that_is_not_there_is_404() -> None:
    answer = make_api("office").post("routes/999999/assign-driver/", {"driver": make_driver().pk})
    assert (answer.status_code, codes(answer)) == (404, [("not_found", None)])


def test_driver_reads_the_own_routes() -> None:
    driver = make_driver()
    route, other = make_route(driver=driver), make_route(driver=make_driver())
    api = Api(driver.user)
    assert list(make_stops(api)) == [route.pk]
    assert api.get(f"routes/{other.pk}/").status_code == 404


def test_routes_of_one_day() -> None:
    route = make_route(date="2026-11-24")
    make_route()
    rows = make_api("office").get("routes/", date="2026-11-24").json()["results"]
    assert [row["id"] for row in rows] == [route.pk]
