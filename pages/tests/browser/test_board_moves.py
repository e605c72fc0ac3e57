"""What a clerk does on the board: by mouse and by keyboard, alone and with another clerk."""

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
DRAG = """(element, name) => element.dispatchEvent(
  new DragEvent(name, {bubbles: true, cancelable: true, dataTransfer: new DataTransfer()}))"""


async def test_a_card_is_dragged_to_a_status_a_driver_another_driver_and_a_route(page: Page, site: Site) -> None:
    first, second = await make(make_driver)(), await make(make_driver)()
    route = await make(make_route)(driver=first, date=timezone.localdate())
    order = await make(make_order_today)()
    board = await Board(page, site).open()
    await board.card(order).drag_to(board.column("confirmed"))
    await board.stands_in(order, "confirmed")
    await board.card(order).drag_to(board.target("driver", first.pk))
    await board.stands_in(order, "assigned")
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


async def test_a_new_order_dragged_to_a_driver_is_confirmed_and_assigned_at_once(page: Page, site: Site) -> None:
    driver, order = await make(make_driver)(), await make(make_order_today)()
    board = await Board(page, site).open()
    await board.card(order).drag_to(board.target("driver", driver.pk))
    await board.stands_in(order, "assigned")
    assert await status_of(order) == "assigned"


async def test_whose_session_has_ended_comes_back_from_the_sign_in(page: Page, site: Site) -> None:
    order = await make(make_order_today)()
    board = await Board(page, site).open(f"/?order={order.pk}")
    await page.context.clear_cookies(name="sessionid")
    await page.keyboard.press("Escape")
    await board.card(order).drag_to(board.column("confirmed"))
    await page.wait_for_url("**/accounts/login/?next=/**")
    assert await status_of(order) == "pending"


async def test_where_an_order_may_not_go_is_no_target_and_is_seen_to_be_none(page: Page, site: Site) -> None:
    order = await make(make_order_today)("arriving")
    other = await make(make_driver)()
    board = await Board(page, site).open()
    await board.stands_in(order, "arriving")
    await board.card(order).evaluate(DRAG, "dragstart")
    await page.wait_for_selector("#board.dragging")
    allowed = await page.locator("[data-target].allowed").evaluate_all("all => all.map(e => e.dataset.target).sort()")
    assert allowed == ["status:cancelled", "status:delivered", "status:delivering", "status:failed"]
    forbidden = board.target("driver", other.pk)
    assert await forbidden.evaluate("element => getComputedStyle(element).opacity") == "0.4"
    assert await forbidden.evaluate(DRAG, "dragover")  # not prevented: the browser drops nothing here
    assert not await board.column("failed").evaluate(DRAG, "dragover")
    await board.card(order).evaluate(DRAG, "dragend")
    assert await page.locator(".dragging, .allowed, .over").count() == 0
    await board.card(order).drag_to(forbidden)
    assert await status_of(order) == "arriving"
    card = await board.card(order).element_handle()
    await card.evaluate(DRAG, "dragstart")
    await page.wait_for_selector("#board.dragging")
    await page.select_option("#driver", "none")
    await board.is_shown()
    await card.evaluate(DRAG, "dragend")  # of a card that is no longer on the board
    assert await page.locator(".dragging, .allowed, .over").count() == 0


async def test_a_move_that_needs_a_reason_or_a_driver_asks_for_it(page: Page, site: Site) -> None:
    driver = await make(make_driver)(name="陳志明")
    gone, given = await make(make_order_today)(), await make(make_order_today)("confirmed")
    board = await Board(page, site).open()
    await board.card(gone).drag_to(board.column("cancelled"))
    for reason in ("", "   "):
        await page.keyboard.type(reason)
        await page.keyboard.press("Enter")  # without a reason nothing happens
        assert await page.locator("#move").is_visible()
    await page.keyboard.type("客戶改日再訂")
    await page.keyboard.press("Enter")
    await board.stands_in(gone, "cancelled")
    assert await gone.history.filter(reason="客戶改日再訂").aexists()
    await board.card(given).drag_to(board.column("assigned"))
    await board.choose("陳志明")
    await page.keyboard.press("Enter")
    await board.stands_in(given, "assigned")
    await make(given.refresh_from_db)()
    assert given.driver_id == driver.pk


async def test_everything_works_without_a_mouse(page: Page, site: Site) -> None:
    driver = await make(make_driver)(name="陳志明")
    first, second = await make(make_order_today)(), await make(make_order_today)()
    failed = await make(make_order_today)("failed")
    board = await Board(page, site).open()
    await board.is_shown(first, second, failed)
    await board.focus(first)
    steps = []
    for key in ("ArrowDown", "ArrowRight", "ArrowLeft"):
        await page.keyboard.press(key)
        steps.append(await board.focused())
    assert steps == [second.pk, failed.pk, first.pk]
    await page.keyboard.press("m")
    assert await page.locator("#move [name=target]").first.evaluate("e => e === document.activeElement")
    await page.keyboard.press("Escape")
    assert (await board.focused(), await status_of(first)) == (first.pk, "pending")
    await page.keyboard.press("m")
    await board.choose("陳志明")
    await page.keyboard.press("Enter")
    await board.stands_in(first, "assigned")
    await board.focus(first)
    await page.keyboard.press("m")
    await board.choose("Out for delivery")
    await page.keyboard.press("Enter")
    await board.stands_in(first, "delivering")
    assert await board.focused() == first.pk  # it moved, and is still in hand
    await make(first.refresh_from_db)()
    assert (first.status, first.driver_id) == ("delivering", driver.pk)


async def test_the_second_of_two_clerks_is_told_and_overwrites_nothing(page: Page, site: Site) -> None:
    order, driver = await make(make_order_today)("confirmed"), await make(make_driver)(name="陳志明")
    first = await Board(page, site).open()
    second = await first.second_clerk()
    await second.focus(order)
    await second.page.keyboard.press("m")
    await first.card(order).drag_to(first.target("driver", driver.pk))
    await first.stands_in(order, "assigned")
    await second.stands_in(order, "assigned")
    await second.choose("Cancelled")
    await second.page.fill("#reason", "太慢")
    await second.page.keyboard.press("Enter")
    toast = await second.toast("Changed by someone else")
    assert str(order) in await toast.inner_text()
    await second.stands_in(order, "assigned")
    assert await status_of(order) == "assigned"
    assert order.driver_id == driver.pk
    await second.page.context.close()


async def test_a_failed_order_is_tried_again_by_one_click(page: Page, site: Site) -> None:
    yesterday = timezone.localdate() - timedelta(days=1)
    today = await make(make_order_today)("failed", scheduled_date=yesterday)
    tomorrow = await make(make_order_today)("failed")
    board = await Board(page, site).open("/?day=all")
    await board.card(today).get_by_role("button", name="Again today").click()
    await board.stands_in(today, "confirmed")
    await board.card(tomorrow).get_by_role("button", name="Again tomorrow").click()
    await board.stands_in(tomorrow, "confirmed")
    for order, day in ((today, timezone.localdate()), (tomorrow, timezone.localdate() + timedelta(days=1))):
        await make(order.refresh_from_db)()
        assert (order.scheduled_date, order.attempt, order.driver_id) == (day, 2, None)


async def test_what_cannot_be_done_is_said_and_changes_nothing(page: Page, site: Site) -> None:
    order = await make(make_order_today)()
    board = await Board(page, site).open()
    await board.stands_in(order, "pending")
    await page.route("**/orders/bulk-update/", lambda route: route.abort())
    await board.card(order).drag_to(board.column("confirmed"))
    await board.toast("There is no connection")
    await board.stands_in(order, "pending")
    assert await status_of(order) == "pending"


async def test_a_card_that_leaves_the_view_hands_the_focus_on(page: Page, site: Site) -> None:
    driver = await make(make_driver)(name="陳志明")
    first, second = await make(make_order_today)(), await make(make_order_today)()
    board = await Board(page, site).open("/?driver=none")
    await board.focus(first)
    await page.keyboard.press("m")
    await board.choose("陳志明")
    await page.keyboard.press("Enter")
    await board.is_shown(second)
    assert (await board.focused(), await status_of(first)) == (second.pk, "assigned")
    assert (await make(lambda: first.driver)()) == driver


async def test_a_card_that_is_folded_away_or_loses_its_button_hands_the_focus_on(page: Page, site: Site) -> None:
    gone, beside = await make(make_order_today)(), await make(make_order_today)()
    failed = await make(make_order_today)("failed")
    board = await Board(page, site).open()
    await board.focus(gone)
    await page.keyboard.press("m")
    await board.choose("Cancelled")
    await page.fill("#reason", "客戶改日再訂")
    await page.keyboard.press("Enter")
    await board.stands_in(gone, "cancelled")
    assert await board.focused() == beside.pk
    await board.card(failed).get_by_role("button", name="Again today").press("Enter")
    await board.stands_in(failed, "confirmed")
    assert await board.focused() == failed.pk
    await page.get_by_role("button", name="Cancelled").click()
    await board.focus(failed)
    await page.keyboard.press("ArrowRight")
    assert await board.focused() == gone.pk


async def test_a_driver_who_is_gone_is_refused_by_name_and_no_longer_offered(page: Page, site: Site) -> None:
    driver, order = await make(make_driver)(), await make(make_order_today)()
    board = await Board(page, site).open()
    await board.stands_in(order, "pending")
    driver.is_active = False
    await make(driver.save)()
    await board.card(order).drag_to(board.target("driver", driver.pk))
    toast = await board.toast("This driver can no longer be chosen.")
    assert str(order) in await toast.inner_text()
    await board.target("driver", driver.pk).wait_for(state="detached")
    assert await status_of(order) == "pending"
