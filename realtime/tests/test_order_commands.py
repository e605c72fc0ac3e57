"""What an order command over a socket may say has the same bounds as over REST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.api.tokens import end_family
from orders.models import Order
from orders.states import Status
from orders.tests.api.client import Api, codes
from orders.tests.factories import make_driver, make_office, make_order
from realtime import commands
from realtime.channels import Identity
from web.refusals import Refusal

pytestmark = pytest.mark.django_db
FAR = ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00"]


def say(user: Any, order: Order, **fields: Any) -> str:
    """The type of the answer, or the code of the refusal."""
    return say_as(Identity.of(user), order, **fields)


def say_as(identity: Identity, order: Order, **fields: Any) -> str:
    message = {"type": "order_update", "order_id": order.pk, "status": "arriving"} | fields
    try:
        return str(commands.carry_out(identity, message)["type"])
    except Refusal as refusal:
        return refusal.code


@pytest.mark.parametrize("far", [*FAR, -367, 367])
def test_an_hour_more_than_a_year_away_is_refused_by_socket_as_by_rest(far: str | int) -> None:
    """Some named, some by days from now."""
    eta = far if isinstance(far, str) else (timezone.now() + timedelta(days=far)).isoformat()
    driver = make_driver()
    order = make_order(Status.DELIVERING, driver=driver)
    assert say(driver.user, order, details={"eta": eta}) == "invalid_message"
    answer = Api(make_office()).patch(f"orders/{order.pk}/", {"eta": eta})
    assert (answer.status_code, [attr for _code, attr in codes(answer)]) == (400, ["eta"])
    after = Order.objects.get(pk=order.pk)
    assert (after.status, after.eta, after.version) == (Status.DELIVERING, None, order.version)


@pytest.mark.parametrize("at", FAR)
def test_a_time_of_the_deed_that_cannot_be_is_refused_by_socket_as_by_rest(at: str) -> None:
    driver = make_driver()
    order = make_order(Status.DELIVERING, driver=driver)
    refused = say(driver.user, order, at=at)
    answer = Api(driver.user).patch(f"orders/{order.pk}/status/", {"status": "arriving", "at": at})
    assert (refused in ("invalid_time", "invalid_message"), answer.status_code) == (True, 400)
    assert Order.objects.get(pk=order.pk).version == order.version


def test_an_hour_within_a_year_is_taken() -> None:
    driver, soon = make_driver(), timezone.now() + timedelta(minutes=20)
    order = make_order(Status.DELIVERING, driver=driver)
    assert say(driver.user, order, details={"eta": soon.isoformat()}) == "ack"
    assert Order.objects.get(pk=order.pk).eta == soon


def test_nothing_is_done_for_a_socket_whose_rights_have_ended_and_that_is_still_open() -> None:
    driver = make_driver()
    order = make_order(Status.DELIVERING, driver=driver)
    signed_in, by_password = Identity.of(driver.user, "one"), Identity.of(driver.user, "two")
    end_family("one")
    assert say_as(signed_in, order) == "rights_ended"
    driver.user.set_password("another horse")
    driver.user.save()
    assert say_as(by_password, order) == "rights_ended"
    assert Order.objects.get(pk=order.pk).status == Status.DELIVERING
    assert say(driver.user, order) == "ack"
