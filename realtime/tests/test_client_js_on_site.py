"""The browser client on the running site. When the network or the server fails, each event still arrives once."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async as make
from playwright.async_api import Page, WebSocketRoute

from luckygas.testing.browser import Chromium, sign_in, until
from luckygas.testing.site import Site
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_driver, make_office, make_order
from realtime import log
from realtime.tests.browser import BrowserScreen
from realtime.tests.client import token_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest_asyncio.fixture(loop_scope="session")
async def board(page: Page, site: Site) -> BrowserScreen:
    """A signed-in page that opens no socket itself. The test opens one."""
    await sign_in(page, site, await make(make_office)(), "/accounts/password/change/")
    return BrowserScreen(page)


async def confirm(*orders: Order) -> None:
    for order in orders:
        await make(order.transition_to)(OrderStatus.CONFIRMED)


async def confirmed_orders(board: BrowserScreen, count: int) -> list[Any]:
    """Waits for `count` status changes. Returns the order ids of all that the page received, in order."""
    moves = "received.filter(([n, f]) => n === '*' && f.type === 'order.status_changed' && f.channel === 'orders')"
    await until(board.page, f"(count) => {moves}.length >= count", count)
    return list(await board.page.evaluate(f"{moves}.map(([, frame]) => frame.data.order_id)"))


async def ids_are_ordered_and_unique(board: BrowserScreen) -> bool:
    ids = await board.ids()
    return ids == sorted(set(ids))


async def test_change_reaches_the_page(board: BrowserScreen) -> None:
    order = await make(make_order)()
    await board.open()
    await board.wait_for_state("live")
    await confirm(order)
    assert await confirmed_orders(board, 1) == [order.pk]
    assert [frame["role"] for frame in await board.received("connected")] == ["office"]


async def test_token_works_without_a_session(page: Page, site: Site) -> None:
    board = BrowserScreen(page)
    jwt = await make(token_for)(await make(make_office)())
    await page.goto(f"{site.url}/health/live")
    await board.open(options=f"{{token: async () => '{jwt}'}}")
    await board.wait_for_state("live")


async def test_token_is_renewed_on_the_open_socket(page: Page, site: Site) -> None:
    board = BrowserScreen(page)
    jwt = await make(token_for)(await make(make_office)())
    await page.clock.install()
    await page.goto(f"{site.url}/health/live")
    await board.open(options=f"{{token: () => '{jwt}'}}")
    await board.wait_for_state("live")
    await page.clock.fast_forward("14:01")
    await until(page, "received.some(([n, f]) => n === '*' && f.type === 'authenticated')")
    assert await board.received("close") == []


async def test_page_without_sign_in_receives_the_refusal(page: Page, site: Site) -> None:
    board = BrowserScreen(page)
    await page.goto(f"{site.url}/health/live")
    await board.open()
    await board.wait_for_state("closed")
    assert len(await board.received("unauthenticated")) == 1


async def test_killed_server_causes_no_loss_and_no_duplicate(board: BrowserScreen, site: Site) -> None:
    before, meanwhile, after = [await make(make_order)() for _ in range(3)]
    await board.open()
    await board.wait_for_state("live")
    await confirm(before)
    await confirmed_orders(board, 1)
    site.kill()
    await board.wait_for_state("reconnecting")
    await confirm(meanwhile)
    await asyncio.to_thread(site.start)
    await board.wait_for_state("live")
    await confirm(after)
    assert await confirmed_orders(board, 3) == [before.pk, meanwhile.pk, after.pk]
    assert await ids_are_ordered_and_unique(board)
    assert await board.received("resync") == []


async def test_network_outage_causes_no_loss_and_no_duplicate(board: BrowserScreen) -> None:
    meanwhile, after = [await make(make_order)() for _ in range(2)]
    await board.open()
    await board.wait_for_state("live")
    await board.page.context.set_offline(True)
    await board.wait_for_state("offline")
    await confirm(meanwhile)
    await board.page.context.set_offline(False)
    await board.wait_for_state("live")
    await confirm(after)
    assert await confirmed_orders(board, 2) == [meanwhile.pk, after.pk]
    assert await ids_are_ordered_and_unique(board)


@pytest.mark.long
async def test_suspended_tab_gets_missed_events(board: BrowserScreen, site: Site, chromium: Chromium) -> None:
    asleep, after = [await make(make_order)() for _ in range(2)]
    await board.open()
    await board.wait_for_state("live")
    with chromium.asleep():
        site.kill()  # the connection is lost when the tab wakes
        await confirm(asleep)
        await asyncio.to_thread(site.start)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(board.page.evaluate("0"), 0.3)
    assert await confirmed_orders(board, 1) == [asleep.pk]
    await confirm(after)
    assert await confirmed_orders(board, 2) == [asleep.pk, after.pk]
    assert await ids_are_ordered_and_unique(board)


async def test_cursor_ahead_of_the_log_causes_a_resync_and_later_events_arrive(board: BrowserScreen) -> None:
    order = await make(make_order)()
    await board.open(options="{since: 999999}")
    await board.wait_for_state("live")
    assert len(await board.received("resync")) == 1
    await confirm(order)
    assert await confirmed_orders(board, 1) == [order.pk]


async def test_blocked_socket_falls_back_to_polling_until_it_works(board: BrowserScreen) -> None:
    blocked = True

    async def accept(route: WebSocketRoute) -> None:
        if blocked:
            await route.close(code=1011)
        else:
            route.connect_to_server()

    polled, live = [await make(make_order)() for _ in range(2)]
    await board.page.clock.install()
    await board.page.route_web_socket("**", accept)
    await board.page.reload()
    await board.page.evaluate("Math.random = () => 0.05")
    await board.open()
    await board.wait_for_state("polling")
    await confirm(polled)
    await board.page.clock.fast_forward(3_000)
    assert await confirmed_orders(board, 1) == [polled.pk]
    blocked = False
    await board.page.clock.fast_forward(60_000)
    await board.wait_for_state("live")
    await confirm(live)
    assert await confirmed_orders(board, 2) == [polled.pk, live.pk]
    assert await ids_are_ordered_and_unique(board)


async def test_browser_without_websockets_polls(board: BrowserScreen) -> None:
    order = await make(make_order)()
    await board.page.evaluate("Math.random = () => 0.05; window.WebSocket = function () { throw Error('blocked'); }; 0")
    await board.open()
    await board.wait_for_state("polling")
    await confirm(order)
    assert await confirmed_orders(board, 1) == [order.pk]


async def test_next_visit_gets_events_missed_since_the_last(board: BrowserScreen) -> None:
    seen, away = [await make(make_order)() for _ in range(2)]
    await board.open()
    await board.wait_for_state("live")
    await confirm(seen)
    await confirmed_orders(board, 1)
    path = board.page.url
    await board.page.goto("about:blank")
    await confirm(away)
    await board.page.goto(path)
    await board.open()
    assert await confirmed_orders(board, 1) == [away.pk]


async def test_subscription_survives_a_server_restart(board: BrowserScreen, site: Site) -> None:
    order = await make(make_order)()
    await board.open("/api/v1/websocket/ws")
    await board.wait_for_state("live")
    await board.page.evaluate(f"socket.subscribe('order:{order.pk}').subscribe('customer:99'); 0")
    await until(board.page, "received.some(([n, f]) => n === '*' && f.type === 'subscribed')")
    site.kill()
    await confirm(order)
    await asyncio.to_thread(site.start)
    (event,) = await board.events(1)
    assert (event["type"], event["data"]["order_id"]) == ("order.status_changed", order.pk)


@pytest.mark.parametrize("path", ["/", "/admin/orders/order/", "/driver/", "/t/{}/"])
async def test_pages_resume_with_cursor_and_epoch_of_their_rows(page: Page, site: Site, path: str) -> None:
    """If the database was replaced since the page loaded, the id alone would skip events. The epoch reveals that."""
    driver = await make(make_driver)()
    order = await make(make_order)(OrderStatus.ASSIGNED, driver=driver)
    await make(log.assign_event_ids)()
    user = driver.user if path == "/driver/" else await make(make_office)(is_superuser=True)
    async with page.expect_websocket() as opened:
        await sign_in(page, site, user, path.format(order.tracking_token))
    query = dict(parse_qsl(urlsplit((await opened.value).url).query))
    head = await make(log.head)()
    assert (query["since"], query["epoch"]) == (str(head.seq), head.epoch)
