from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from dispatch.models import Driver, DriverLocation
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import make_driver, make_office, make_user
from realtime.models import OnlineDriver

pytestmark = pytest.mark.django_db


def test_office_makes_a_driver_of_an_account() -> None:
    user = make_user()
    answer = make_api("office").post("drivers/", {"name": "陳司機", "phone": "0911-222-333", "user": user.pk})
    assert (answer.status_code, Driver.objects.get().user) == (201, user)


def test_the_account_of_staff_is_no_driver_by_staff() -> None:
    for user in (make_office(), make_user(is_superuser=True)):
        answer = make_api("office").post("drivers/", {"name": "陳司機", "user": user.pk})
        assert (answer.status_code, codes(answer)) == (403, [("forbidden", "user")])
    assert not Driver.objects.exists()


def test_an_administrator_makes_a_driver_of_staff() -> None:
    boss, clerk = make_office(is_superuser=True), make_office()
    assert Api(boss).post("drivers/", {"name": "陳司機", "user": clerk.pk}).status_code == 201


def test_staff_change_a_driver_who_is_staff() -> None:
    driver = make_driver(user=make_office())
    answer = make_api("office").patch(f"drivers/{driver.pk}/", {"name": "陳", "user": driver.user_id})
    assert answer.status_code == 200


def test_one_account_is_one_driver() -> None:
    answer = make_api("office").post("drivers/", {"name": "陳", "user": make_driver().user.pk})
    assert (answer.status_code, codes(answer)) == (400, [("unique", "user")])


def test_a_driver_keeps_the_account() -> None:
    driver, api = make_driver(), make_api("office")
    same = api.patch(f"drivers/{driver.pk}/", {"name": "陳", "user": driver.user.pk})
    other = api.patch(f"drivers/{driver.pk}/", {"user": make_user().pk})
    assert (same.status_code, other.status_code, codes(other)) == (200, 400, [("invalid", "user")])


def test_driver_reads_the_own_record_only() -> None:
    driver, other = make_driver(), make_driver()
    api = Api(driver.user)
    assert [row["id"] for row in api.get("drivers/").json()["results"]] == [driver.pk]
    assert api.get(f"drivers/{other.pk}/").status_code == 404
    assert api.patch(f"drivers/{driver.pk}/", {"name": "x"}).status_code == 403


def test_a_deactivated_driver_has_no_role() -> None:
    driver = make_driver()
    api = Api(driver.user)
    make_api("office").patch(f"drivers/{driver.pk}/", {"is_active": False})
    assert api.get("orders/").status_code == 403


def test_locations_say_where_and_who_is_online() -> None:
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
