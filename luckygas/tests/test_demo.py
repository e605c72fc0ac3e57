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
from orders.states import OrderStatus
from orders.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _private_site(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def run_demo() -> date:
    """Runs the command as if on SQLite, where it needs no `--force`. Returns the demo's day."""
    with mock.patch.object(command, "connection", vendor="sqlite"):
        call_command("demo")
    return timezone.localdate()


@pytest.mark.sqlite
def test_demo_has_orders_routes_and_an_arriving_delivery() -> None:
    today = run_demo()
    assert Order.objects.filter(scheduled_date=today).count() == 149
    assert Order.objects.filter(scheduled_date=today + timedelta(days=1)).count() == 109
    assert set(Order.objects.values_list("status", flat=True)) == set(OrderStatus)
    for route in Route.objects.all():
        stops = route.orders.order_by("stop_sequence")
        assert route.date == today
        assert {stop.driver_id for stop in stops.exclude(status=OrderStatus.FAILED)} == {route.driver_id}
        assert [stop.stop_sequence for stop in stops] == list(range(1, route.total_stops + 1))
    assert (Route.objects.count(), DriverLocation.objects.count()) == (2, 3)
    assert Customer.objects.get(user__username="customer").orders.filter(status=OrderStatus.ARRIVING).exists()


def test_printed_accounts_work_and_second_run_prints_them_again(capsys: pytest.CaptureFixture[str]) -> None:
    run_demo()
    printed = capsys.readouterr().out
    for account in ACCOUNTS:
        user = authenticate(HttpRequest(), username=account.username, password=account.password)
        assert user is not None
        assert next(roles(user)) == account.role
        assert f"{account.username} " in printed
        assert account.password in printed
    # The second run only looks up the accounts and prints them.
    before = (Order.objects.count(), Product.objects.count())
    with CaptureQueriesContext(connection) as queries:
        run_demo()
    assert len(queries) == 1
    assert (Order.objects.count(), Product.objects.count()) == before
    assert "office-demo" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("database", "hosts"), [("postgresql", ["localhost"]), ("sqlite", ["localhost", "gas.example.tw"])]
)
def test_demo_without_force_refuses_postgresql_and_public_hosts(settings: Any, database: str, hosts: list[str]) -> None:
    settings.ALLOWED_HOSTS = hosts
    with mock.patch.object(command, "connection", vendor=database), pytest.raises(CommandError, match="--force"):
        call_command("demo")
    assert not Product.objects.exists()


def test_demo_refuses_a_database_with_only_some_of_its_accounts() -> None:
    make_user(username="office")
    with pytest.raises(CommandError, match="office"):
        run_demo()
    assert not Product.objects.exists()
