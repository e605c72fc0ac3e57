"""The driver's page after a request failed: it is repeated at once when there is a connection again."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from playwright.async_api import Route

from dispatch.models import Driver
from luckygas.testing.browser import until
from luckygas.testing.waiting import wait_for_async
from pages.tests.browser.phone import Phone, make_stop

pytestmark = pytest.mark.django_db(transaction=True)
# The longest pauses between two tries.
UNLUCKY = "Math.random = () => 0.999"
# Of what the page meant to do later it does nothing.
NO_TIMERS = "for (let timer = setTimeout(() => {}); timer > 0; timer--) clearTimeout(timer)"


async def test_a_new_stop_is_read_when_the_page_is_live_again(phone: Phone, driver: Driver) -> None:
    tries = 0

    async def fail_three_times(route: Route) -> None:
        nonlocal tries
        tries += 1
        await (route.abort() if tries <= 3 else route.continue_())

    await phone.page.add_init_script(UNLUCKY)
    await phone.open()
    await phone.page.context.route("**/api/v1/orders/*/", fail_three_times)
    came = await sync_to_async(make_stop)(driver)
    # Tried at once, and after pauses of half, one and two seconds; the next comes after four.
    await wait_for_async(lambda: tries >= 3)
    await phone.page.evaluate(NO_TIMERS)
    await phone.page.context.set_offline(True)
    await until(phone.page, "document.querySelector('connection-status').dataset.state === 'offline'")
    await phone.page.context.set_offline(False)
    await phone.shows("#next h2", came.customer.name)
