"""A clerk's actions on the board: by mouse and by keyboard, alone and with another clerk."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async as make
from django.utils import timezone
from playwright.async_api import Page

from luckygas.testing.browser import until
from luckygas.testing.site import Site
from orders.tests.factories import make_driver, make_route
from pages.tests.browser.board import Board, make_order_today, status_of

pytestmark = pytest.mark.django_db(transaction=True)


# Dispatches a drag event on an element. Returns false if a handler prevented the default action.
DRAG = """(element, name) => element.dispatchEvent(
  new DragEvent(name, {bubbles: true, cancelable: true, dataTransfer: new DataTransfer()}))"""


async def test_dragging_a_card_changes_status_driver_and_route(page: Page, site: Site) -> None:
    first, second = await make(make_driver)(), await make(make_driver)()
    route = await make(make_route)(driver=first, date=timezone.localdate())
    order = await make(make_order_today)()
    board = await Board(page, site).open()
    await board.card(order).drag_to(board.column("confirmed"))
    await board.wait_for_column(order, "confirmed")
    await board.card(order).drag_to(board.target("driver", first.pk))
    await board.wait_for_column(order, "assigned")
    assert first.name in await board.text(order)
    await board.card(order).drag_to(board.target("driver", second.pk))
    await until(page, "([id, name]) => document.querySelector(`.order[data-id='${id}']`).innerText.includes(name)",
                [order.pk, second.name])  # fmt: skip
    await board.card(order).drag_to(board.target("route", route.pk))
    await until(page, "([id, name]) => document.querySelector(`.order[data-id='${id}']`).innerText.includes(name)",
                [order.pk, first.name])  # fmt: skip
    await make(order.refresh_from_db)()
    assert (order.status, order.driver_id, order.route_id) == ("assigned", first.pk, route.pk)
    history = [str(row) async for row in order.history.all()]
    assert history == ["– → pending", "pending → confirmed", "confirmed → assigned", *["assigned → assigned"] * 2]


async def test_new_order_dragged_to_a_driver_becomes_assigned(page: Page, site: Site) -> None:
    driver, order = await make(make_driver)(), await make(make_order_today)()
    board = await Board(page, site).open()
    await board.card(order).drag_to(board.target("driver", driver.pk))
    await board.wait_for_column(order, "assigned")
    assert await status_of(order) == "assigned"


async def test_change_after_the_session_expired_redirects_to_the_sign_in(page: Page, site: Site) -> None:
    order = await make(make_order_today)()
    board = await Board(page, site).open(f"/?order={order.pk}")
    await page.context.clear_cookies(name="sessionid")
    await page.keyboard.press("Escape")
    await board.card(order).drag_to(board.column("confirmed"))
    await page.wait_for_url("**/accounts/login/?next=/**")
    assert await status_of(order) == "pending"


async def test_forbidden_drop_target_fades_and_accepts_no_drop(page: Page, site: Site) -> None:
    order = await make(make_order_today)("arriving")
    other = await make(make_driver)()
    board = await Board(page, site).open()
    await board.wait_for_column(order, "arriving")
    await board.card(order).evaluate(DRAG, "dragstart")
    await page.wait_for_selector("#board.dragging")
    allowed = await page.locator("[data-target].allowed").evaluate_all("all => all.map(e => e.dataset.target).sort()")
    assert allowed == ["status:cancelled", "status:delivered", "status:delivering", "status:failed"]
    forbidden = board.target("driver", other.pk)
    assert await forbidden.evaluate("element => getComputedStyle(element).opacity") == "0.4"
    assert await forbidden.evaluate(DRAG, "dragover")  # not prevented, so the browser drops nothing here
    assert not await board.column("failed").evaluate(DRAG, "dragover")
    await board.card(order).evaluate(DRAG, "dragend")
    assert await page.locator(".dragging, .allowed, .over").count() == 0
    await board.card(order).drag_to(forbidden)
    assert await status_of(order) == "arriving"
    card = await board.card(order).element_handle()
    await card.evaluate(DRAG, "dragstart")
    await page.wait_for_selector("#board.dragging")
    await page.select_option("#driver", "none")
    await board.wait_for_cards()
    await card.evaluate(DRAG, "dragend")  # the card is no longer on the board
    assert await page.locator(".dragging, .allowed, .over").count() == 0


async def test_move_that_needs_a_reason_or_a_driver_asks_for_it(page: Page, site: Site) -> None:
    driver = await make(make_driver)(name="陳志明")
    cancelled, to_assign = await make(make_order_today)(), await make(make_order_today)("confirmed")
    board = await Board(page, site).open()
    await board.card(cancelled).drag_to(board.column("cancelled"))
    for reason in ("", "   "):
        await page.keyboard.type(reason)
        await page.keyboard.press("Enter")  # without a reason nothing happens
        assert await page.locator("#move").is_visible()
    await page.keyboard.type("客戶改日再訂")
    await page.keyboard.press("Enter")
    await board.wait_for_column(cancelled, "cancelled")
    assert await cancelled.history.filter(reason="客戶改日再訂").aexists()
    await board.card(to_assign).drag_to(board.column("assigned"))
    await board.choose("陳志明")
    await page.keyboard.press("Enter")
    await board.wait_for_column(to_assign, "assigned")
    await make(to_assign.refresh_from_db)()
    assert to_assign.driver_id == driver.pk


async def test_keyboard_moves_the_focus_and_the_order(page: Page, site: Site) -> None:
    driver = await make(make_driver)(name="陳志明")
    first, second = await make(make_order_today)(), await make(make_order_today)()
    failed = await make(make_order_today)("failed")
    board = await Board(page, site).open()
    await board.wait_for_cards(first, second, failed)
    await board.focus(first)
    steps = []
    for key in ("ArrowDown", "ArrowRight", "ArrowLeft"):
        await page.keyboard.press(key)
        steps.append(await board.focused_order())
    assert steps == [second.pk, failed.pk, first.pk]
    await page.keyboard.press("m")
    assert await page.locator("#move [name=target]").first.evaluate("e => e === document.activeElement")
    await page.keyboard.press("Escape")
    assert (await board.focused_order(), await status_of(first)) == (first.pk, "pending")
    await page.keyboard.press("m")
    await board.choose("陳志明")
    await page.keyboard.press("Enter")
    await board.wait_for_column(first, "assigned")
    await board.focus(first)
    await page.keyboard.press("m")
    await board.choose("Out for delivery")
    await page.keyboard.press("Enter")
    await board.wait_for_column(first, "delivering")
    assert await board.focused_order() == first.pk  # the card moved and still has the focus
    await make(first.refresh_from_db)()
    assert (first.status, first.driver_id) == ("delivering", driver.pk)


async def test_second_of_two_concurrent_changes_is_refused(page: Page, site: Site) -> None:
    order, driver = await make(make_order_today)("confirmed"), await make(make_driver)(name="陳志明")
    first = await Board(page, site).open()
    second = await first.open_for_second_clerk()
    await second.focus(order)
    await second.page.keyboard.press("m")
    await first.card(order).drag_to(first.target("driver", driver.pk))
    await first.wait_for_column(order, "assigned")
    await second.wait_for_column(order, "assigned")
    await second.choose("Cancelled")
    await second.page.fill("#reason", "太慢")
    await second.page.keyboard.press("Enter")
    toast = await second.wait_for_toast("Changed in the meantime")
    assert str(order) in await toast.inner_text()
    await second.wait_for_column(order, "assigned")
    assert await status_of(order) == "assigned"
    assert order.driver_id == driver.pk
    await second.page.context.close()


async def test_one_click_schedules_a_new_attempt_of_a_failed_order(page: Page, site: Site) -> None:
    yesterday = timezone.localdate() - timedelta(days=1)
    today = await make(make_order_today)("failed", scheduled_date=yesterday)
    tomorrow = await make(make_order_today)("failed")
    board = await Board(page, site).open("/?day=all")
    await board.card(today).get_by_role("button", name="Deliver today").click()
    await board.wait_for_column(today, "confirmed")
    await board.card(tomorrow).get_by_role("button", name="Deliver tomorrow").click()
    await board.wait_for_column(tomorrow, "confirmed")
    for order, day in ((today, timezone.localdate()), (tomorrow, timezone.localdate() + timedelta(days=1))):
        await make(order.refresh_from_db)()
        assert (order.scheduled_date, order.attempt, order.driver_id) == (day, 2, None)


async def test_failed_request_shows_a_toast_and_the_order_stays(page: Page, site: Site) -> None:
    order = await make(make_order_today)()
    board = await Board(page, site).open()
    await board.wait_for_column(order, "pending")
    await page.route("**/orders/bulk-update/", lambda route: route.abort())
    await board.card(order).drag_to(board.column("confirmed"))
    await board.wait_for_toast("The site does not respond")
    await board.wait_for_column(order, "pending")
    assert await status_of(order) == "pending"


async def test_focus_moves_to_another_card_when_a_filter_hides_the_card(page: Page, site: Site) -> None:
    driver = await make(make_driver)(name="陳志明")
    first, second = await make(make_order_today)(), await make(make_order_today)()
    board = await Board(page, site).open("/?driver=none")
    await board.focus(first)
    await page.keyboard.press("m")
    await board.choose("陳志明")
    await page.keyboard.press("Enter")
    await board.wait_for_cards(second)
    assert (await board.focused_order(), await status_of(first)) == (second.pk, "assigned")
    assert (await make(lambda: first.driver)()) == driver


async def test_focus_moves_if_a_card_is_folded_away_or_loses_its_button(page: Page, site: Site) -> None:
    cancelled, neighbour = await make(make_order_today)(), await make(make_order_today)()
    failed = await make(make_order_today)("failed")
    board = await Board(page, site).open()
    await board.focus(cancelled)
    await page.keyboard.press("m")
    await board.choose("Cancelled")
    await page.fill("#reason", "客戶改日再訂")
    await page.keyboard.press("Enter")
    await board.wait_for_column(cancelled, "cancelled")
    assert await board.focused_order() == neighbour.pk
    await board.card(failed).get_by_role("button", name="Deliver today").press("Enter")
    await board.wait_for_column(failed, "confirmed")
    assert await board.focused_order() == failed.pk
    await page.get_by_role("button", name="Cancelled").click()
    await board.focus(failed)
    await page.keyboard.press("ArrowRight")
    assert await board.focused_order() == cancelled.pk


async def test_drop_on_an_inactive_driver_is_refused_and_removes_the_driver(page: Page, site: Site) -> None:
    driver, order = await make(make_driver)(), await make(make_order_today)()
    board = await Board(page, site).open()
    await board.wait_for_column(order, "pending")
    driver.is_active = False
    await make(driver.save)()
    await board.card(order).drag_to(board.target("driver", driver.pk))
    toast = await board.wait_for_toast("This driver was deactivated. Please choose another.")
    assert str(order) in await toast.inner_text()
    await board.target("driver", driver.pk).wait_for(state="detached")
    assert await status_of(order) == "pending"
