"""The driver's page where the request that follows an event fails: what changed is asked for until it is there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from playwright.async_api import Page, Route

from dispatch.models import Driver
from luckygas.testing.browser import until
from luckygas.testing.waiting import wait_for_async
from orders import services
from orders.tests.factories import make_office
from pages.tests.browser.phone import Phone, make_stop
from web.actors import Actor

pytestmark = pytest.mark.django_db(transaction=True)
make = sync_to_async
AWAY: dict[str, Any] = {"status": 503, "headers": {"Retry-After": "1"}, "body": "Service Unavailable"}
# Each request ends after half a second instead of fifteen.
IMPATIENT = "AbortSignal.timeout = ((timeout) => () => timeout.call(AbortSignal, 500))(AbortSignal.timeout)"
# The longest pauses that chance can choose.
UNLUCKY = "Math.random = () => 0.999"
# Of what the page meant to do later it does nothing.
NO_TIMERS = "for (let timer = setTimeout(() => {}); timer > 0; timer--) clearTimeout(timer)"


class Fault:
    """Lets the first requests fail. `answer`: what they get; None: the line breaks; "stall": no answer at all."""

    def __init__(self, answer: dict[str, Any] | str | None, times: int = 2) -> None:
        self.answer, self.left, self.tries = answer, times, 0

    async def __call__(self, route: Route) -> None:
        self.tries += 1
        self.left -= 1
        if self.left < 0:
            await route.continue_()
        elif self.answer is None:
            await route.abort()
        elif isinstance(self.answer, dict):
            await route.fulfill(**self.answer)


@pytest.mark.parametrize("answer", [AWAY, pytest.param("stall", marks=pytest.mark.long)], ids=["503", "stalled"])
async def test_a_new_stop_appears_although_its_first_requests_fail(
    phone: Phone, driver: Driver, answer: dict[str, Any] | str | None
) -> None:
    fault = Fault(answer)
    await phone.page.add_init_script(IMPATIENT)
    await phone.open()
    await phone.page.context.route("**/api/v1/orders/*/", fault)
    came = await make(make_stop)(driver)
    await phone.shows("#next h2", came.customer.name)
    assert fault.tries >= 3


async def test_stops_appear_although_the_page_could_read_none_when_it_opened(phone: Phone, driver: Driver) -> None:
    stop = await make(make_stop)(driver)
    await phone.page.context.route("**/api/v1/orders/*", Fault(AWAY, 3))
    await phone.open()
    await phone.shows("#next h2", stop.customer.name)


class Held:
    """Answers the first request with what the server said then, once the test lets it."""

    def __init__(self) -> None:
        self.tries, self.answer = 0, asyncio.Event()

    async def __call__(self, route: Route) -> None:
        self.tries += 1
        if self.tries > 1:
            return await route.continue_()
        said = await route.fetch()
        await self.answer.wait()
        return await route.fulfill(response=said)


async def test_stop_that_is_taken_away_while_it_is_read_is_not_shown(phone: Phone, driver: Driver) -> None:
    held = Held()
    frames: list[str] = []
    phone.page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))))
    await phone.open()
    await phone.page.context.route("**/api/v1/orders/*/", held)
    came = await make(make_stop)(driver)
    await wait_for_async(lambda: held.tries == 1)
    await make(services.change)(came, {"driver": None}, Actor(await make(make_office)()))
    await wait_for_async(lambda: any("order.unassigned" in frame for frame in frames))
    held.answer.set()
    await wait_for_async(lambda: held.tries == 2)
    stays = await make(make_stop)(driver)
    await phone.shows("#next h2", stays.customer.name)
    assert await phone.page.locator("#others .stop").count() == 0


async def seen(page: Page) -> None:
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


async def live_again(page: Page) -> None:
    await page.context.set_offline(True)
    await until(page, "document.querySelector('connection-status').dataset.state === 'offline'")
    await page.context.set_offline(False)


@pytest.mark.parametrize("wake", [seen, pytest.param(live_again, marks=pytest.mark.long)])
async def test_what_is_still_to_be_read_is_asked_for_when_the_page_is_seen_or_live_again(
    phone: Phone, driver: Driver, wake: Any
) -> None:
    fault = Fault(None, 3)
    await phone.page.add_init_script(UNLUCKY)
    await phone.open()
    await phone.page.context.route("**/api/v1/orders/*/", fault)
    came = await make(make_stop)(driver)
    # Tried at once, and after pauses of half, one and two seconds; the next comes after four.
    await wait_for_async(lambda: fault.tries >= 3)
    await phone.page.evaluate(NO_TIMERS)
    await wake(phone.page)
    await phone.shows("#next h2", came.customer.name)
