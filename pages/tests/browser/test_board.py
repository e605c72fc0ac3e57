"""The board's cards, filters, search, drawer and map, and its accessibility in light and dark."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async as make
from django.utils import timezone
from playwright.async_api import Page, Route

from luckygas.testing.browser import serious_faults, until
from luckygas.testing.site import Site
from luckygas.testing.waiting import PATIENCE_SECONDS
from orders.models.order import Proof
from orders.tests.factories import make_customer, make_driver, make_product, make_route
from pages.tests.browser.board import Board, make_order_today
from pages.tests.browser.phone import DAY_MS, set_clock, shift_clock

pytestmark = pytest.mark.django_db(transaction=True)


TOMORROW = timezone.localdate() + timedelta(days=1)
# The sum of all layout shifts so far (Layout Instability API).
LAYOUT_SHIFT = """() => new Promise((done) => new PerformanceObserver((list) => done(
  list.getEntries().reduce((sum, entry) => sum + entry.value, 0))).observe({type: "layout-shift", buffered: true})
  || setTimeout(() => done(0), 300))"""


async def test_cards_show_the_order_and_urgent_ones_come_first(page: Page, site: Site) -> None:
    driver = await make(make_driver)(name="陳志明")
    product = await make(make_product)(name="16kg 瓦斯桶")
    usual = await make(make_order_today)(product=product, quantity=2, time_slot="morning")
    urgent = await make(make_order_today)(priority="urgent", time_slot="evening")
    route = await make(make_route)(driver=driver, date=timezone.localdate())
    assigned = await make(make_order_today)("assigned", driver=driver)
    assigned.route, assigned.stop_sequence = route, 3
    await make(assigned.save)()
    done = await make(make_order_today)("delivered")
    board = await Board(page, site).open()
    await board.wait_for_cards(usual, urgent, assigned, done)
    order_ids = await board.column("pending").locator(".order").evaluate_all("cards => cards.map(c => +c.dataset.id)")
    assert order_ids == [urgent.pk, usual.pk]
    text = await board.text(usual)
    for text_part in (
        str(usual),
        usual.customer.name,
        usual.delivery_address,
        "16kg 瓦斯桶 × 2",
        "morning, 08–12",
        "min",
    ):
        assert text_part in text
    assert (await board.text(urgent)).startswith("Urgent")
    assert "陳志明 #3" in await board.text(assigned)
    assert await board.column("pending").locator("h2").inner_text() == "Pending\n2\nurgent\n1"
    assert not await board.card(done).is_visible()
    await board.column("delivered").get_by_role("button", name="Delivered", expanded=False).click()
    assert await board.card(done).is_visible()
    assert await board.target("driver", driver.pk).locator("[data-field=count]").inner_text() == "1"
    assert "陳志明" in await board.target("route", route.pk).inner_text()


async def test_board_does_not_jump_while_it_fills(page: Page, site: Site) -> None:
    for _ in range(5):
        await make(make_order_today)(priority="urgent")
    board = await Board(page, site).open()
    await board.page.wait_for_selector(".order")
    await board.page.wait_for_selector(".leaflet-container")
    assert await page.evaluate(LAYOUT_SHIFT) < 0.01


async def test_filters_hide_cards_and_survive_a_reload(page: Page, site: Site) -> None:
    driver = await make(make_driver)(name="陳志明")
    customer = await make(make_customer)(address="台北市信義區松高路1號")
    overdue = await make(make_order_today)(scheduled_date=timezone.localdate() - timedelta(days=2))
    morning = await make(make_order_today)(time_slot="morning")
    assigned = await make(make_order_today)("assigned", driver=driver, time_slot="evening")
    in_area = await make(make_order_today)(customer=customer, time_slot="afternoon")
    later = await make(make_order_today)(scheduled_date=TOMORROW)
    done = await make(make_order_today)("delivered", scheduled_date=TOMORROW)
    board = await Board(page, site).open()
    await board.wait_for_cards(overdue, morning, assigned, in_area, done)  # `done` was delivered today, a day early
    await page.reload()
    await (await board.wait_until_ready()).wait_for_cards(overdue, morning, assigned, in_area, done)
    await page.select_option("#slot", "morning")
    await board.wait_for_cards(morning)
    await page.select_option("#slot", "")
    await board.target("driver", driver.pk).locator("button").click()
    await board.wait_for_cards(assigned)
    assert await page.input_value("#driver") == str(driver.pk)
    await page.select_option("#driver", "none")
    await board.wait_for_cards(overdue, morning, in_area)
    await page.select_option("#area", "信義區")
    await board.wait_for_cards(in_area)
    await page.reload()
    await (await board.wait_until_ready()).wait_for_cards(in_area)
    await page.select_option("#area", "")
    await page.select_option("#driver", "")
    await page.select_option("#day", "tomorrow")
    await board.wait_for_cards(later, done)
    await page.select_option("#day", "all")
    await board.wait_for_cards(overdue, morning, assigned, in_area, later, done)
    await page.select_option("#day", "date")
    await page.fill("[name=date]", str(overdue.scheduled_date))
    await board.wait_for_cards(overdue)


async def test_driver_counts_and_routes_are_those_of_the_chosen_day(page: Page, site: Site) -> None:
    today, driver = timezone.localdate(), await make(make_driver)()
    days = {-1: 1, 0: 2, 1: 3}
    routes = {day: await make(make_route)(driver=driver, date=today + timedelta(days=day)) for day in days}
    routes[-1].status = "completed"
    await make(routes[-1].save)()
    for day, count in days.items():
        for _ in range(count):
            await make(make_order_today)("assigned", driver=driver, scheduled_date=today + timedelta(days=day))
    board = await Board(page, site).open()
    for chosen, count, shown in (("now", 3, [0]), ("tomorrow", 3, [1]), ("all", 6, [0, 1]), (str(today), 2, [0]),
                              (str(today - timedelta(days=1)), 1, [-1]), ("now", 3, [0])):  # fmt: skip
        is_date = chosen not in ("now", "tomorrow", "all")
        await page.select_option("#day", "date" if is_date else chosen)
        if is_date:
            await page.fill("[name=date]", chosen)
        await board.wait_for_fleet({driver: count}, [routes[day] for day in shown])
    await page.select_option("#day", "tomorrow")
    await page.reload()
    await (await board.wait_until_ready()).wait_for_fleet({driver: 3}, [routes[1]])


async def test_search_finds_orders_of_any_day_by_name_number_address_or_phone(page: Page, site: Site) -> None:
    wang = await make(make_customer)(name="王大明", phone="0912-345-678", phone2="02-2700-4321")
    chen = await make(make_customer)(name="陳小美", address="台北市信義區松高路9號")
    today, later = await make(make_order_today)(customer=wang), await make(make_order_today)(scheduled_date=TOMORROW)
    old = await make(make_order_today)("cancelled", customer=chen, scheduled_date=TOMORROW + timedelta(days=9))
    board = await Board(page, site).open()
    await page.keyboard.press("/")
    number = str(later)
    for typed, found in (
        ("大明", today), ("5678", today), ("4321", today), (number, later), (number.replace("-", "")[:6], later),
        ("松高路9", old), ("大\u200b明", today), ("(+886) 912‑345‑678", today), (number.replace("-", "‑"), later),
    ):  # fmt: skip
        await page.keyboard.type(typed)
        await board.wait_for_cards(found)
        await page.fill("#q", "")
    await page.fill("#q", "nobody")
    await board.wait_for_cards()


async def test_drawer_shows_the_order_and_returns_the_focus_when_closed(page: Page, site: Site) -> None:
    driver = await make(make_driver)()
    hour_ago = timezone.now() - timedelta(hours=1)
    order = await make(make_order_today)("arriving", driver=driver, quantity=2, created_at=hour_ago, notes="按三樓")
    proof = Proof("qr_code", ["CYL789"], parts={"amount_collected": 1600})
    by = {"by": driver.user, "source": "socket", "proof": proof, "at": timezone.now() - timedelta(minutes=20)}
    await make(order.transition_to)("delivered", **by)
    board = await Board(page, site).open()
    await page.get_by_role("button", name="Delivered").click()
    await board.focus(order)
    await page.keyboard.press("Enter")
    drawer = page.locator("#drawer")
    await drawer.wait_for()
    text = await drawer.inner_text()
    for text_part in (str(order), "Delivered", "按三樓", "20kg 瓦斯桶", "NT$1,600", "CYL789", "Arriving → Delivered"):
        assert text_part in text, text_part
    assert "0912-" in await drawer.locator(".phone").inner_text()
    assert "reported later" in await drawer.locator(".history li").first.inner_text()
    assert "瓦斯" in await drawer.locator(".messages").inner_text()
    assert page.url.endswith(f"?order={order.pk}")
    await page.keyboard.press("Escape")
    assert (await drawer.is_visible(), await board.focused_order()) == (False, order.pk)
    await page.goto(f"{site.url}/?order={order.pk}")
    await drawer.wait_for()
    assert str(order) in await drawer.locator("h2").inner_text()


async def test_drawer_moves_the_displayed_order_and_stays_closed_after_escape(page: Page, site: Site) -> None:
    shown, slow = await make(make_order_today)(), await make(make_order_today)()
    board = await Board(page, site).open(f"/?order={shown.pk}")
    drawer = page.locator("#drawer")
    await drawer.wait_for()
    held_routes = asyncio.Queue[Route]()
    await page.route(f"**/orders/{slow.pk}/", held_routes.put)
    await board.focus(slow)
    await page.keyboard.press("Enter")
    route = await asyncio.wait_for(held_routes.get(), PATIENCE_SECONDS)
    await drawer.get_by_role("button", name="Move…").click()
    assert str(shown) in await page.locator("#move").inner_text()
    await page.keyboard.press("Escape")
    await drawer.get_by_role("button", name="Close").press("Escape")
    async with page.expect_response(f"**/notifications/?order={slow.pk}*"):
        await route.continue_()
    await page.evaluate("new Promise((done) => setTimeout(done, 50))")
    assert not await drawer.is_visible()
    await page.route(f"**/orders/{shown.pk}/", lambda route: route.abort())
    await board.card(shown).click()
    await board.wait_for_toast("This order could not be opened.")
    assert not await drawer.is_visible()


async def test_drawer_retries_a_failed_read_after_a_change(page: Page, site: Site) -> None:
    order = await make(make_order_today)()
    board = await Board(page, site).open(f"/?order={order.pk}")
    drawer = page.locator("#drawer")
    await drawer.wait_for()
    await page.wait_for_selector("connection-status[data-state=live]")
    await board.wait_for_column(order, "pending")
    await page.route(f"**/orders/{order.pk}/", lambda route: route.abort(), times=1)
    order.notes = "改由三樓送"
    await make(order.save)()
    await drawer.get_by_text("改由三樓送").wait_for()


async def test_narrow_page_does_not_scroll_sideways_and_language_keeps_filters(page: Page, site: Site) -> None:
    for status in ("pending", "failed", "delivered"):
        await make(make_order_today)(status, priority="urgent")
    board = await Board(page, site).open()
    assert not await board.column("delivered").locator(".urgent-count").is_visible()
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.evaluate("scrollTo(1000, 0)")
    assert await page.evaluate("scrollX") == 0
    await page.select_option("#slot", "morning")
    await page.get_by_role("button", name="中文").click()
    await page.wait_for_selector("html[lang=zh-hant] #board[data-ready]")
    assert page.url == f"{site.url}/?slot=morning"


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_board_has_no_serious_accessibility_violation(page: Page, site: Site, scheme: str) -> None:
    await page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    for status in ("pending", "assigned", "failed", "cancelled"):
        await make(make_order_today)(status)
    order = await make(make_order_today)(priority="urgent")
    board = await Board(page, site).open()
    await page.get_by_role("button", name="Cancelled").click()
    await board.wait_for_column(order, "pending")
    await page.wait_for_selector(".leaflet-container")
    assert await serious_faults(page) == []
    await board.card(order).click()
    await page.locator("#drawer").wait_for()
    assert await serious_faults(page) == []
    await page.locator("#drawer [data-do=move]").click()
    await board.choose("Cancelled")
    assert await serious_faults(page) == []


async def test_order_of_final_status_has_no_move_button(page: Page, site: Site) -> None:
    cancelled, new = await make(make_order_today)("cancelled"), await make(make_order_today)()
    board = await Board(page, site).open()
    await page.get_by_role("button", name="Cancelled").click()
    await board.card(cancelled).wait_for()
    assert await board.card(new).locator(".move").is_visible()
    assert not await board.card(cancelled).locator(".move").is_visible()
    await board.card(cancelled).click()
    await page.locator("#drawer").wait_for()
    assert not await page.locator("#drawer [data-do=move]").is_visible()


@pytest.mark.parametrize("offset", [-DAY_MS, pytest.param(DAY_MS, marks=pytest.mark.long)])
async def test_board_uses_the_servers_clock_on_a_pc_with_a_wrong_date(page: Page, site: Site, offset: int) -> None:
    driver = await make(make_driver)()
    order, done = await make(make_order_today)(), await make(make_order_today)("delivered", driver=driver)
    later = await make(make_order_today)(scheduled_date=TOMORROW)
    routes = [await make(make_route)(driver=driver, date=day) for day in (timezone.localdate(), TOMORROW)]
    await shift_clock(page, offset)
    board = await Board(page, site).open()
    await board.wait_for_cards(order, done)
    await board.wait_for_fleet({driver: 0}, routes[:1])
    text = await board.text(order)
    assert "min" in text
    assert "day" not in text.replace("Monday", "")
    await page.select_option("#day", "tomorrow")
    await board.wait_for_cards(later)
    await set_clock(page, 0)
    await page.select_option("#day", "now")
    await board.wait_for_cards(order, done)


async def test_map_shows_open_stops_with_their_numbers(page: Page, site: Site) -> None:
    customer = await make(make_customer)(latitude=25.03, longitude=121.54)
    driver = await make(make_driver)()
    route = await make(make_route)(driver=driver, date=timezone.localdate())
    order = await make(make_order_today)("assigned", driver=driver, customer=customer)
    order.route, order.stop_sequence = route, 7
    await make(order.save)()
    await Board(page, site).open()
    stop = page.locator(".pin.stop")
    await stop.wait_for()
    assert await stop.inner_text() == "7"
    order.stop_sequence = 2
    await make(order.save)()
    await until(page, "document.querySelector('.pin.stop')?.innerText === '2'")
    await stop.click()
    await page.locator("#drawer").wait_for()
    await make(order.transition_to)("cancelled", reason="測試")
    await until(page, "!document.querySelector('.pin.stop')")
