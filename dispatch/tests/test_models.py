from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from dispatch.models import DriverLocation, DriverLocationQuerySet
from orders.tests.factories import make_driver
from orders.tests.threads import run_concurrently

NOW = timezone.now()


def make_location(driver: int, seconds: int, **fields: Any) -> DriverLocation:
    at = NOW + timedelta(seconds=seconds)
    return DriverLocation(driver_id=driver, **{"latitude": 25, "longitude": 121, "recorded_at": at} | fields)


@pytest.mark.django_db
def test_newer_position_replaces_older() -> None:
    driver = make_driver().pk
    first, second = make_location(driver, 0, speed=30), make_location(driver, 1, latitude=24, heading=90)
    assert DriverLocation.objects.save_if_newer(first)
    assert DriverLocation.objects.save_if_newer(second)
    row = DriverLocation.objects.get()
    assert (row.latitude, row.speed, row.heading, row.recorded_at) == (24, None, 90, second.recorded_at)


@pytest.mark.django_db
@pytest.mark.parametrize("seconds", [0, -1])
def test_position_not_newer_is_ignored(seconds: int) -> None:
    driver = make_driver().pk
    DriverLocation.objects.save_if_newer(make_location(driver, 0))
    assert not DriverLocation.objects.save_if_newer(make_location(driver, seconds, latitude=24))
    assert DriverLocation.objects.get().latitude == 25


@pytest.mark.django_db(transaction=True)
def test_concurrent_writes_keep_newest_position() -> None:
    driver = make_driver().pk
    run_concurrently(
        lambda at: DriverLocation.objects.save_if_newer(make_location(driver, at, latitude=at)),
        (3, 1, 7, 5, 0, 6, 2, 4),
    )
    assert DriverLocation.objects.get().latitude == 7


@pytest.mark.django_db
def test_concurrently_created_older_row_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = make_driver().pk
    get_or_create = DriverLocationQuerySet.get_or_create

    def create_older_row_first(*args: Any, **kwargs: Any) -> Any:
        make_location(driver, 0, latitude=24).save()
        return get_or_create(*args, **kwargs)

    monkeypatch.setattr(DriverLocationQuerySet, "get_or_create", create_older_row_first)
    assert DriverLocation.objects.save_if_newer(make_location(driver, 1))
    assert DriverLocation.objects.get().latitude == 25


@pytest.mark.django_db
def test_recent_excludes_old_positions_and_inactive_drivers() -> None:
    here, away, gone = make_driver().pk, make_driver().pk, make_driver(is_active=False).pk
    for driver, hours in ((here, -11), (away, -13), (gone, 0)):
        DriverLocation.objects.save_if_newer(make_location(driver, hours * 3600))
    assert [row.driver_id for row in DriverLocation.objects.recent()] == [here]
