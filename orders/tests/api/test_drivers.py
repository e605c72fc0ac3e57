from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from dispatch.models import Driver, DriverLocation, Route
from orders.states import OrderStatus
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import make_driver, make_office, make_order, make_route, make_user
from realtime.models import OnlineDriver

pytestmark = pytest.mark.django_db


def test_office_creates_driver_from_account() -> None:
    user = make_user()
    answer = make_api("office").post("drivers/", {"name": "陳司機", "phone": "0911-222-333", "user": user.pk})
    assert (answer.status_code, Driver.objects.get().user) == (201, user)


def test_manager_cannot_link_manager_or_owner_account_to_driver() -> None:
    for user in (make_office(), make_user(is_superuser=True)):
        answer = make_api("office").post("drivers/", {"name": "陳司機", "user": user.pk})
        assert (answer.status_code, codes(answer)) == (403, [("forbidden", "user")])
    assert not Driver.objects.exists()


def test_owner_can_link_manager_account_to_driver() -> None:
    boss, manager = make_office(is_superuser=True), make_office()
    assert Api(boss).post("drivers/", {"name": "陳司機", "user": manager.pk}).status_code == 201


def test_manager_can_edit_driver_with_manager_account() -> None:
    driver = make_driver(user=make_office())
    answer = make_api("office").patch(f"drivers/{driver.pk}/", {"name": "陳", "user": driver.user_id})
    assert answer.status_code == 200


def test_account_belongs_to_one_driver() -> None:
    answer = make_api("office").post("drivers/", {"name": "陳", "user": make_driver().user.pk})
    assert (answer.status_code, codes(answer)) == (400, [("unique", "user")])


def test_driver_account_cannot_change() -> None:
    driver, api = make_driver(), make_api("office")
    same = api.patch(f"drivers/{driver.pk}/", {"name": "陳", "user": driver.user.pk})
    other = api.patch(f"drivers/{driver.pk}/", {"user": make_user().pk})
    assert (same.status_code, other.status_code, codes(other)) == (200, 400, [("invalid", "user")])


def test_driver_reads_only_own_record() -> None:
    driver, other = make_driver(), make_driver()
    api = Api(driver.user)
    assert [row["id"] for row in api.get("drivers/").json()["results"]] == [driver.pk]
    assert api.get(f"drivers/{other.pk}/").status_code == 404
    assert api.patch(f"drivers/{driver.pk}/", {"name": "x"}).status_code == 403


def test_deactivated_driver_has_no_role() -> None:
    driver = make_driver()
    api = Api(driver.user)
    make_api("office").patch(f"drivers/{driver.pk}/", {"is_active": False})
    assert api.get("orders/").status_code == 403


def test_locations_list_active_drivers_with_position_and_online_state() -> None:
    away, here = make_driver(name="甲"), make_driver(name="乙")
    make_driver(is_active=False)
    at = timezone.now()
    DriverLocation.objects.create(driver=here, latitude=25.03, longitude=121.56, speed=30, recorded_at=at)
    OnlineDriver.objects.create(driver=here)
    rows = {row["driver"]: row for row in make_api("office").get("drivers/locations/").json()["results"]}
    assert set(rows) == {away.pk, here.pk}
    assert (rows[here.pk]["online"], rows[here.pk]["latitude"], rows[here.pk]["speed"]) == (True, 25.03, 30)
    assert (rows[away.pk]["online"], rows[away.pk]["latitude"], rows[away.pk]["timestamp"]) == (False, None, None)


def test_locations_need_few_queries(django_assert_max_num_queries: Any) -> None:
    for _ in range(5):
        DriverLocation.objects.create(driver=make_driver(), latitude=25, longitude=121, recorded_at=timezone.now())
    api = make_api("office")
    api.get("drivers/locations/")
    with django_assert_max_num_queries(6):
        api.get("drivers/locations/")


def test_office_creates_route() -> None:
    driver = make_driver()
    answer = make_api("office").post("routes/", {"date": "2026-11-23", "name": "大安", "driver": driver.pk})
    assert (answer.status_code, answer.json()["total_stops"], Route.objects.get().driver) == (201, 0, driver)


def test_total_stops_excludes_cancelled_orders() -> None:
    route, api = make_route(), make_api("office")
    for status in (OrderStatus.PENDING, OrderStatus.CONFIRMED, OrderStatus.CANCELLED):
        make_order(status, route=route)
    make_route()
    assert api.get(f"routes/{route.pk}/").json()["total_stops"] == stops_by_route(api)[route.pk] == 2


def stops_by_route(api: Api) -> dict[int, int]:
    return {row["id"]: row["total_stops"] for row in api.get("routes/").json()["results"]}


def test_office_cancels_route() -> None:
    route = make_route()
    assert make_api("office").patch(f"routes/{route.pk}/", {"status": "cancelled"}).status_code == 200


def test_patch_cannot_change_route_driver() -> None:
    route, api = make_route(), make_api("office")
    answer = api.patch(f"routes/{route.pk}/", {"driver": make_driver().pk})
    assert (answer.status_code, codes(answer)) == (400, [("use_assign_driver", "driver")])


def test_assign_driver_assigns_route_and_orders() -> None:
    route, driver = make_route(), make_driver()
    order, pending = make_order(OrderStatus.CONFIRMED, route=None), make_order(route=route)
    order.route = route
    order.save()
    answer = make_api("office").post(f"routes/{route.pk}/assign-driver/", {"driver": driver.pk})
    body = answer.json()
    order.refresh_from_db()
    assert (answer.status_code, body["route"], body["driver"], body["assigned"]) == (
        200, route.pk, driver.pk, [order.pk],
    )  # fmt: skip
    assert [(row["id"], row["code"]) for row in body["failed"]] == [(pending.pk, "invalid_transition")]
    assert (order.status, order.driver, order.route) == (OrderStatus.ASSIGNED, driver, route)


@pytest.mark.parametrize("driver", [None, 0, 999_999, "x"])
def test_assign_driver_needs_active_driver(driver: object) -> None:
    answer = make_api("office").post(f"routes/{make_route().pk}/assign-driver/", {"driver": driver})
    assert (answer.status_code, codes(answer)[0][1]) == (400, "driver")


def test_assign_driver_to_unknown_route_is_404() -> None:
    answer = make_api("office").post("routes/999999/assign-driver/", {"driver": make_driver().pk})
    assert (answer.status_code, codes(answer)) == (404, [("not_found", None)])


def test_driver_reads_own_routes() -> None:
    driver = make_driver()
    route, other = make_route(driver=driver), make_route(driver=make_driver())
    api = Api(driver.user)
    assert list(stops_by_route(api)) == [route.pk]
    assert api.get(f"routes/{other.pk}/").status_code == 404


def test_routes_filter_by_date() -> None:
    route = make_route(date="2026-11-24")
    make_route()
    rows = make_api("office").get("routes/", date="2026-11-24").json()["results"]
    assert [row["id"] for row in rows] == [route.pk]
