"""Live updates of the open board."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make
from django.utils import timezone
from playwright.async_api import Page, Route, WebSocketRoute

from dispatch.models import Route as DeliveryRoute
from luckygas.testing.browser import until
from luckygas.testing.site import Site
from luckygas.testing.waiting import PATIENCE_SECONDS, wait_for_async
from notifications.states import MessageStatus as SmsStatus
from notifications.tests.factories import make_message
from orders.models import Order
from orders.tests.factories import make_customer, make_driver, make_route
from pages.tests.browser.board import Board, make_order_today
from pages.tests.browser.phone import ServerClock
from realtime.models import LogHead
from realtime.tests.client import open_client, token_for

pytestmark = pytest.mark.django_db(transaction=True)


async def test_changes_by_others_appear_on_the_board_and_in_the_drawer(page: Page, site: Site) -> None:
    customer = await make(make_customer)()
    order = await make(make_order_today)(customer=customer)
    board = await Board(page, site).open(f"/?order={order.pk}")
    drawer = page.locator("#drawer")
    await drawer.wait_for()
    await make(order.transition_to)("confirmed")
    await board.wait_for_column(order, "confirmed")
    await drawer.locator(".history", has_text="Pending → Confirmed").wait_for()
    customer.name = "新名字"
    await make(customer.save)()
    await board.card(order).get_by_text("新名字").wait_for()
    order.delivery_address = "台北市信義區松高路9號"
    await make(order.save)()
    await board.card(order).get_by_text("松高路9號").wait_for()
    driver = await make(make_driver)()
    route = await make(DeliveryRoute.objects.create)(date=timezone.localdate(), name="新路線")
    await board.target("route", route.pk).get_by_text("no driver").wait_for()
    route.driver = driver
    await make(route.save)()
    await until(page, "(key) => document.querySelector(`[data-target='${key}']`).innerText.includes('0 stops')",
                f"route:{route.pk}")  # fmt: skip
    route.name, route.status = "改名", "planned"
    await make(route.save)()
    await board.target("route", route.pk).get_by_text("改名").wait_for()
    route.status = "completed"
    await make(route.save)()
    await board.target("route", route.pk).wait_for(state="detached")


async def test_new_urgent_and_failed_orders_and_failed_sms_show_toasts(page: Page, site: Site) -> None:
    urgent_before = await make(make_order_today)("delivering", priority="urgent")
    board = await Board(page, site).open()
    await board.wait_for_column(urgent_before, "delivering")
    new = await make(make_order_today)()
    toast = await board.wait_for_toast("New order")
    assert str(new) in await toast.inner_text()
    assert (await board.text(new)).startswith(str(new))
    urgent = await make(make_order_today)(priority="urgent")
    assert str(urgent) in await (await board.wait_for_toast("Urgent order")).inner_text()
    await make(urgent_before.transition_to)("failed", reason="按鈴無人應門")
    failed = await board.wait_for_toast("Delivery failed")
    assert "按鈴無人應門" in await failed.inner_text()
    message = await make(make_message)(SmsStatus.SENDING, order=new)
    assert await make(message.move)(SmsStatus.SENDING, SmsStatus.FAILED)
    await board.wait_for_toast("An SMS was not delivered")
    assert await page.locator(".toast").count() == 4  # no toast for orders that existed before
    await page.evaluate("window.same = true")
    await failed.get_by_role("link").click()
    await page.locator("#drawer", has_text=str(urgent_before)).wait_for()
    assert await page.evaluate("window.same")


async def test_many_simultaneous_new_orders_share_a_few_toasts(page: Page, site: Site) -> None:
    board = await Board(page, site).open()
    orders = [await make(make_order_today)() for _ in range(12)]
    await board.wait_for_cards(*orders)
    await board.wait_for_toast("new orders")
    assert await page.locator(".toast").count() < 5


@pytest.mark.long
async def test_event_during_a_read_of_all_orders_is_not_lost(page: Page, site: Site) -> None:
    """After many events the board reads all orders. The response lacks an order that is created before it arrives."""
    board = await Board(page, site).open()
    await page.wait_for_selector("connection-status[data-state=live]")
    held_routes = asyncio.Queue[Route]()
    await page.route("**/orders/?status=*pending*", held_routes.put)
    orders = [await make(make_order_today)() for _ in range(12)]
    route = await asyncio.wait_for(held_routes.get(), PATIENCE_SECONDS)
    answer = await route.fetch()
    orders.append(await make(make_order_today)())
    await board.card(orders[-1]).locator(".age", has_text="min").wait_for()
    await route.fulfill(response=answer)
    await board.card(orders[0]).locator(".age", has_text="min").wait_for()
    await page.evaluate("new Promise((done) => setTimeout(done, 50))")  # gives the board time to draw all orders
    await board.wait_for_cards(*orders)


async def test_events_update_counts_and_routes_of_another_day(page: Page, site: Site) -> None:
    today, driver = timezone.localdate(), await make(make_driver)()
    tomorrow = today + timedelta(days=1)
    order = await make(make_order_today)("confirmed", scheduled_date=tomorrow)
    other = await make(make_order_today)("confirmed")
    route = await make(make_route)(driver=driver, date=today)
    board = await Board(page, site).open("/?day=tomorrow")
    await page.wait_for_selector("connection-status[data-state=live]")
    await board.wait_for_fleet({driver: 0}, [])
    await make(other.transition_to)("assigned", driver=driver)
    await make(order.transition_to)("assigned", driver=driver)
    await board.wait_for_fleet({driver: 1}, [])
    route.date = tomorrow
    await make(route.save)()
    await board.wait_for_fleet({driver: 1}, [route])
    new = await make(make_route)(driver=driver, date=tomorrow, name="新路線")
    await board.wait_for_fleet({driver: 1}, [route, new])
    route.date = today
    await make(route.save)()
    order.scheduled_date = today
    await make(order.save)()
    await board.wait_for_fleet({driver: 0}, [new])
    await page.select_option("#day", "now")
    await board.wait_for_fleet({driver: 2}, [route])


async def test_read_after_an_event_is_retried_until_it_succeeds(page: Page, site: Site) -> None:
    busy = {"status": 503, "headers": {"Retry-After": "1"}, "body": "Service Unavailable"}
    known = await make(make_order_today)()
    board = await Board(page, site).open()
    await page.wait_for_selector("connection-status[data-state=live]")
    await board.wait_for_column(known, "pending")
    for rows in ("orders", "routes"):
        await page.route(re.compile(rf"/api/v1/{rows}/\d+/$"), lambda route: route.fulfill(**busy), times=2)
    # The events lack the order's creation time and the route's name, so the board reads these.
    new = await make(make_order_today)(created_at=timezone.now() - timedelta(hours=3))
    route = await make(make_route)(date=timezone.localdate(), name="新路線")
    await board.card(new).locator(".age", has_text="hr").wait_for()
    await board.target("route", route.pk).get_by_text("新路線").wait_for()


@pytest.mark.long
async def test_reconnected_board_retries_failed_reads_at_once(page: Page, site: Site) -> None:
    sockets: list[WebSocketRoute] = []

    async def join(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    await page.route_web_socket("**", join)
    await Board(page, site).open()
    await page.wait_for_selector("connection-status[data-state=live]")
    # The first pause of `retry` is up to 500 ms. With this random number it is half a minute.
    await page.evaluate("""async () => {
      const { ApiError } = await import("/static/web/api.js");
      const { retry } = await import("/static/web/retry.js");
      const { random } = Math;
      Math.random = () => 60;
      window.tries = 0;
      retry(async () => { if ((window.tries += 1) === 1) throw new ApiError(0); });
      await new Promise((done) => setTimeout(done));
      Math.random = random;
    }""")
    assert await page.evaluate("tries") == 1
    await sockets[-1].close(code=1011)
    await until(page, "tries === 2")


async def test_board_switches_to_the_new_day_at_midnight(page: Page, site: Site) -> None:
    today = timezone.localdate()
    tomorrow = today + timedelta(days=1)
    driver = await make(make_driver)()
    order, later = await make(make_order_today)(), await make(make_order_today)(scheduled_date=tomorrow)
    routes = [await make(make_route)(driver=driver, date=day) for day in (today, tomorrow)]
    clock = ServerClock(page)
    await clock.start()
    board = await Board(page, site).open()
    await page.wait_for_selector("connection-status[data-state=live]")
    await board.wait_for_cards(order)
    await board.wait_for_fleet({driver: 0}, routes[:1])
    midnight = timezone.make_aware(datetime.combine(tomorrow, time()))
    async with page.expect_request(f"**/orders/?status=delivered,cancelled&day={tomorrow}*"):
        await clock.set(midnight - timedelta(seconds=0.5))
    await board.wait_for_cards(order, later)
    await page.wait_for_selector(f'.order.overdue[data-id="{order.pk}"]')
    await board.wait_for_fleet({driver: 0}, routes[1:])
    await page.unroute_all(behavior="wait")


async def test_late_report_is_marked_until_the_next_move(page: Page, site: Site) -> None:
    driver, hour_ago = await make(make_driver)(), timezone.now() - timedelta(hours=1)
    order = await make(make_order_today)("assigned", driver=driver, created_at=hour_ago)
    board = await Board(page, site).open()
    await board.wait_for_column(order, "assigned")
    at = timezone.now() - timedelta(minutes=30)
    await make(order.transition_to)("delivering", by=driver.user, source="socket", at=at)
    await board.wait_for_column(order, "delivering")
    clock = timezone.localtime(at).strftime("%H:%M")
    assert await board.card(order).locator(".late").inner_text() == f"reported later, at {clock}"
    await page.reload()
    await board.wait_for_column(order, "delivering")
    assert await board.card(order).locator(".late").inner_text() == f"reported later, at {clock}"
    await make(order.transition_to)("arriving", by=driver.user, source="socket")
    await board.wait_for_column(order, "arriving")
    assert not await board.card(order).locator(".late").is_visible()


async def test_driver_comes_online_and_moves_on_the_map(page: Page, site: Site) -> None:
    driver = await make(make_driver)(name="陳志明")
    await Board(page, site).open()
    await page.wait_for_selector(".leaflet-container")
    jwt = await make(token_for)(driver.user)
    async with open_client(f"{site.ws}/driver?token={jwt}") as telephone:
        await page.wait_for_selector(f'[data-target="driver:{driver.pk}"].online')
        await telephone.send(type="location_update", latitude=25.03, longitude=121.54)
        pin = page.locator(".pin.driver")
        await pin.wait_for()
        before = await pin.bounding_box()
        await asyncio.sleep(1)  # the server accepts a position once a second
        await telephone.send(type="location_update", latitude=25.05, longitude=121.56)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await pin.bounding_box() == before:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_board_shows_that_it_is_offline_and_then_catches_up(page: Page, site: Site) -> None:
    order, other = await make(make_order_today)(), await make(make_order_today)()
    board = await Board(page, site).open()
    await board.wait_for_column(order, "pending")
    status = page.locator("header connection-status")
    await page.wait_for_selector("connection-status[data-state=live]")
    await page.context.set_offline(True)
    await page.wait_for_selector("connection-status[data-state=offline]")
    assert "as of" in await status.inner_text()
    await make(order.transition_to)("confirmed")
    await page.context.set_offline(False)
    await board.wait_for_column(order, "confirmed")
    site.kill()
    await page.wait_for_selector("connection-status:not([data-state=live])")
    await make(other.transition_to)("confirmed")
    await asyncio.to_thread(site.start)
    await board.wait_for_column(other, "confirmed")
    await page.wait_for_selector("connection-status[data-state=live]")


@pytest.mark.long
async def test_board_reloads_everything_if_the_log_has_another_epoch(page: Page, site: Site) -> None:
    """After the reload, the drawer still shows an order of another day, and the columns the search results."""
    order, wang = await make(make_order_today)(), await make(make_customer)(name="王大明")
    long_ago = timezone.localdate() - timedelta(days=9)
    found, open_ = [await make(make_order_today)("delivered", customer=wang, scheduled_date=long_ago) for _ in "12"]
    board = await Board(page, site).open(f"/?order={open_.pk}")
    drawer = page.locator("#drawer")
    await drawer.wait_for()
    await page.fill("#q", "王大明")
    await board.wait_for_cards(found, open_)
    await page.context.set_offline(True)
    await page.wait_for_selector("connection-status[data-state=offline]")
    await make(order.transition_to)("confirmed")
    open_.notes = "改由三樓送"
    await make(open_.save)()
    await make(LogHead.objects.update)(epoch="another")
    await page.context.set_offline(False)
    await drawer.get_by_text("改由三樓送").wait_for()
    await board.wait_for_cards(found, open_)
    await drawer.get_by_role("button", name="Move…").click()
    await page.locator("#move", has_text=str(open_)).wait_for()
    await page.keyboard.press("Escape")
    await page.fill("#q", "")
    await board.wait_for_column(order, "confirmed")


def event_of(order: Order, number: int, type_: str = "order.updated", **fields: Any) -> str:
    """The JSON of an event frame about this order, as the server sends it. `number` is the event id."""
    data = {
        "order_id": order.pk, "order_number": str(order), "version": order.version, "status": order.status,
        "priority": order.priority, "attempt": 1, "customer_id": order.customer_id, "customer_name": "王小姐",
        "products": [], "scheduled_date": str(order.scheduled_date), "time_slot": "anytime", "eta": None,
        "address": order.delivery_address, "area": order.area, "driver_id": None, "route_id": None,
        "stop_sequence": None, "amount_due": 0,
    }  # fmt: skip
    frame = {"type": type_, "id": number, "channel": "orders", "timestamp": timezone.now().isoformat()}
    return json.dumps(frame | {"data": data | fields})


async def test_stale_and_repeated_events_change_nothing_and_show_no_toast(page: Page, site: Site) -> None:
    order, behind = await make(make_order_today)("confirmed"), await make(make_order_today)()
    sockets: list[WebSocketRoute] = []

    async def join(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    await page.route_web_socket("**", join)
    board = await Board(page, site).open()
    await page.wait_for_selector("connection-status[data-state=live]")
    await board.wait_for_column(order, "confirmed")
    far = 10**6
    sockets[-1].send(event_of(order, far, version=order.version - 1, status="pending"))
    sockets[-1].send(event_of(order, far + 1, "order.created"))
    sockets[-1].send(event_of(order, far + 2, "order.urgent", priority="urgent", version=order.version - 1))
    sockets[-1].send(event_of(behind, far + 3, version=behind.version + 1, priority="urgent"))
    sockets[-1].send(event_of(behind, far + 4, "order.urgent", version=behind.version + 1, priority="urgent"))
    await board.wait_for_toast("Urgent order")
    await board.wait_for_column(order, "confirmed")
    assert await page.locator(".toast").count() == 1


@pytest.mark.long
async def test_board_reloads_if_its_lists_have_different_epochs(page: Page, site: Site) -> None:
    """As if a standby took over between two requests of the board."""
    order = await make(make_order_today)()

    async def answer(route: Route) -> None:
        response = await route.fetch()
        await route.fulfill(response=response, headers=response.headers | {"last-event-epoch": "lost"})

    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url) if "/drivers/locations/" in request.url else None)
    await page.route("**/api/v1/drivers/locations/**", answer, times=1)
    board = await Board(page, site).open()
    await wait_for_async(lambda: len(requests) == 2)
    await board.wait_for_cards(order)
