from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpRequest
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import roles
from catalogue.models import Product
from customers.models import Customer
from dispatch.models import DriverLocation, Route
from luckygas.demo.depot import ACCOUNTS
from luckygas.management.commands import demo as command
from orders.models import Order
from orders.states import Status
from orders.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _on_this_machine(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def demo() -> date:
    """Runs it as on SQLite, where it needs no `--force`, and gives its day."""
    with mock.patch.object(command, "connection", vendor="sqlite"):
        call_command("demo")
    return timezone.localdate()


@pytest.mark.sqlite
def test_it_is_a_day_of_orders_with_its_routes_and_a_delivery_to_watch() -> None:
    today = demo()
    assert Order.objects.filter(scheduled_date=today).count() == 149
    assert Order.objects.filter(scheduled_date=today + timedelta(days=1)).count() == 109
    assert set(Order.objects.values_list("status", flat=True)) == set(Status)
    for route in Route.objects.all():
        stops = route.orders.order_by("stop_sequence")
        assert route.date == today
        assert {stop.driver_id for stop in stops.exclude(status=Status.FAILED)} == {route.driver_id}
        assert [stop.stop_sequence for stop in stops] == list(range(1, route.total_stops + 1))
    assert (Route.objects.count(), DriverLocation.objects.count()) == (2, 3)
    assert Customer.objects.get(user__username="customer").orders.filter(status=Status.ARRIVING).exists()


def test_printed_accounts_sign_in_and_a_second_run_prints_them_again(capsys: pytest.CaptureFixture[str]) -> None:
    demo()
    printed = capsys.readouterr().out
    for account in ACCOUNTS:
        user = authenticate(HttpRequest(), username=account.username, password=account.password)
        assert user is not None
        assert next(roles(user)) == account.role
        assert f"{account.username} " in printed
        assert account.password in printed
    # Whether the accounts are there, and nothing else: it is quick.
    before = (Order.objects.count(), Product.objects.count())
    with CaptureQueriesContext(connection) as queries:
        demo()
    assert len(queries) == 1
    assert (Order.objects.count(), Product.objects.count()) == before
    assert "office-demo" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("database", "hosts"), [("postgresql", ["localhost"]), ("sqlite", ["localhost", "gas.example.tw"])]
)
def test_public_passwords_stay_away_from_a_public_site(settings: Any, database: str, hosts: list[str]) -> None:
    settings.ALLOWED_HOSTS = hosts
    with mock.patch.object(command, "connection", vendor=database), pytest.raises(CommandError, match="--force"):
        call_command("demo")
    assert not Product.objects.exists()


def test_accounts_of_others_are_left_alone() -> None:
    make_user(username="office")
    with pytest.raises(CommandError, match="office"):
        demo()
    assert not Product.objects.exists()
