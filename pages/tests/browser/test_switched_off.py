"""The driver's page while sockets, or all events, are switched off."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async as make

from dispatch.models import Driver
from luckygas.testing.browser import until
from orders.models import Order
from orders.tests.factories import turn
from pages.tests.browser.phone import Phone, make_stop, until_true
from web import flags

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("switch", "state"), [(flags.WEBSOCKETS, "polling"), (flags.REAL_TIME, "reloading")])
async def test_a_driver_works_on_while_a_switch_is_off(phone: Phone, driver: Driver, switch: str, state: str) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    await make(turn)(switch, False)
    await until(phone.page, f"document.querySelector('connection-status').dataset.state === '{state}'")
    await phone.go("delivering")
    await until_true(lambda: Order.objects.filter(pk=order.pk, status="delivering").exists())
    await make(turn)(switch, True)
    # The page goes on from its cursor, and at once when it is online again.
    later = await make(make_stop)(driver)
    await phone.page.evaluate("dispatchEvent(new Event('online'))")
    await phone.shows("#others .stop", later.customer.name)
