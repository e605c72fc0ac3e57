"""The form for an order by telephone."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async as make
from django.utils import timezone
from playwright.async_api import Page, Route, expect

from catalogue.models import Product
from customers import phones
from customers.models import Customer
from luckygas.testing.browser import INSECURE, serious_faults, sign_in, until
from luckygas.testing.site import Site
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_office, make_order, make_product
from pages.tests.browser.phone import DAY_MS, set_clock, shift_clock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest_asyncio.fixture(loop_scope="session")
async def form(page: Page, site: Site) -> Page:
    """The open page. The last order of the customer 王太太 is two 20 kg cylinders."""
    product = await make(make_product)(price=900)
    customer = await make(make_customer)(name="王太太", phone="0912-777-888")
    await make(make_order)(OrderStatus.DELIVERED, customer=customer, product=product, quantity=2)
    await sign_in(page, site, await make(make_office)(), "/orders/new/")
    return page


@make
def newest_order() -> dict[str, Any]:
    order = Order.objects.select_related("customer").latest("id")
    items = [(item.product_id, item.quantity) for item in order.items.all()]
    return {"customer": order.customer.name, "status": order.status, "items": items, "due": order.amount_due}


async def wait_for_result(page: Page, text: str) -> None:
    await expect(page.locator("#found [role=option]").first).to_contain_text(text)


async def choose_customer(page: Page, typed: str, name: str) -> None:
    await page.fill("#who", typed)
    await wait_for_result(page, name)
    await page.focus("#who")
    await page.keyboard.press("Enter")
    await expect(page.locator("#customer-name")).to_have_text(name)


async def place_order(page: Page, button: str = "#confirm") -> None:
    await page.click(button)
    await expect(page.locator("#done")).to_be_visible()


async def choose_new_customer(page: Page, typed: str) -> None:
    """Types a text that finds no customer, and chooses “New customer”."""
    await page.fill("#who", typed)
    await expect(page.locator("#found [role=option]")).to_have_count(1)
    await wait_for_result(page, "新客戶")
    await page.focus("#who")
    await page.keyboard.press("Enter")


async def lose_response(page: Page, method: str, path: str) -> None:
    """Lets the server execute the next request with this method and path, and drops the response."""
    is_due = [True]

    async def lose(route: Route) -> None:
        if route.request.method == method and is_due:
            is_due.clear()
            await route.fetch()
            await route.abort()
        else:
            await route.continue_()

    await page.route(path, lose)


async def test_repeating_the_last_order_takes_two_keys_after_the_search(form: Page) -> None:
    product = await make(Product.objects.get)()
    await form.keyboard.type("777888")
    await wait_for_result(form, "王太太")
    await expect(form.locator("#found small").first).to_have_text("20kg 瓦斯桶 × 2")
    assert await serious_faults(form) == []
    await form.keyboard.press("Enter")
    await expect(form.locator("#total")).to_contain_text("NT$1,800")
    assert await serious_faults(form) == []
    await form.keyboard.press("Enter")
    await expect(form.locator("#done")).to_be_visible()
    assert await newest_order() == {
        "customer": "王太太",
        "status": "confirmed",
        "items": [(product.pk, 2)],
        "due": 1800,
    }
    # The page is ready for the next call.
    await expect(form.locator("#who")).to_be_focused()
    await expect(form.locator("#order")).to_be_hidden()


@pytest.mark.long
async def test_order_is_placed_over_plain_http(form: Page) -> None:
    await form.add_init_script(INSECURE)
    await form.reload()
    await choose_customer(form, "777888", "王太太")
    await place_order(form)
    assert (await newest_order())["due"] == 1800


@pytest.mark.long
async def test_orders_of_all_found_customers_need_one_request(form: Page) -> None:
    product = await make(Product.objects.get)()
    for name, quantity in (("王先生", 1), ("王小弟", 3)):
        customer = await make(make_customer)(name=name)
        await make(make_order)(customer=customer, product=product, quantity=quantity)
    requests: list[str] = []
    form.on("request", lambda request: requests.append(request.url) if "/orders/?customer=" in request.url else None)
    await form.fill("#who", "台北市")
    for name, usual in (("王先生", "20kg 瓦斯桶 × 1"), ("王小弟", "20kg 瓦斯桶 × 3"), ("王太太", "20kg 瓦斯桶 × 2")):
        await expect(form.locator("#found [role=option]", has_text=name).locator("small").first).to_have_text(usual)
    assert len(requests) == 1


async def test_page_warns_of_an_open_order_and_a_missing_mobile(form: Page) -> None:
    customer = await make(make_customer)(name="陳老闆", phone="02-2345-6789")
    order = await make(make_order)(customer=customer, product=await make(Product.objects.get)())
    await choose_customer(form, "陳老", "陳老闆")
    warnings = form.locator("#warnings li")
    await expect(warnings).to_have_count(2)
    await expect(warnings.first.get_by_role("link", name=order.order_number)).to_have_attribute(
        "href", f"/?order={order.pk}"
    )
    assert await serious_faults(form) == []


@pytest.mark.parametrize("is_read", [True, False])
async def test_order_needs_a_tick_if_another_is_open_or_orders_are_not_loaded(form: Page, is_read: bool) -> None:
    if is_read:
        customer, product = await make(Customer.objects.get)(), await make(Product.objects.get)()
        await make(make_order)(customer=customer, product=product)
    else:
        await form.route("**/api/v1/orders/?customer=*", lambda route: route.abort())
    before = await make(Order.objects.count)()
    await choose_customer(form, "777888", "王太太")
    tick = form.locator("[name=another]")
    await expect(tick).to_be_visible()
    for selector in ("[name=notes]", "[name=quantity]", "#confirm", "#place"):
        await form.focus(selector)
        await form.keyboard.press("Enter")
    assert await form.locator("#done").is_hidden()
    assert await make(Order.objects.count)() == before
    await tick.focus()
    await form.keyboard.press("Space")
    await form.keyboard.press("Enter")
    await expect(form.locator("#done")).to_be_visible()
    assert await make(Order.objects.count)() == before + 1
    # The tick is reset for the next caller.
    await form.unroute("**/api/v1/orders/?customer=*")
    await make(make_customer)(name="大明早餐店", phone="0922-111-222")
    await choose_customer(form, "111222", "大明早餐店")
    await expect(tick).to_be_hidden()
    await place_order(form)


async def test_page_shows_the_full_number_of_the_chosen_customer_only(form: Page) -> None:
    customer = await make(make_customer)(name="陳老闆", phone="02-2345-6789 分機29", phone2="0922-111-222")
    await form.keyboard.type("陳老")
    await wait_for_result(form, "陳老闆")
    assert "2345" not in await form.locator("#found").inner_text()
    await form.route(f"**/api/v1/customers/{customer.pk}/", lambda route: route.abort(), times=1)
    await form.keyboard.press("Enter")
    await expect(form.locator("#known [data-field=phone]")).to_have_text("02-2345-6789 分機29 · 0922-111-222")
    await form.keyboard.press("Escape")
    assert "2345" not in await form.locator("#known").inner_html()


async def test_script_groups_phone_numbers_as_the_server_does(form: Page) -> None:
    given = ("0912-345-678", "02-2345-6789", "04-722-2333", "037-123456", "049-291-0960", "089-123456", "0800-123-456",
             "070-1234-5678", "082-323456", "0836-22222", "0826-66666", "03-123-4567 分機1234", "+81 3-1234-5678",
             "07-012-3456", "020-123-4567", "0991-234-567")  # fmt: skip
    stored = [phones.normalise(number) for number in given]
    shown = "(numbers) => import('/static/web/telephone.js').then(({ phoneText }) => numbers.map(phoneText))"
    assert await form.evaluate(shown, stored) == [phones.display(number) for number in stored]


@pytest.mark.long
async def test_open_order_warning_appears_after_a_retried_request(form: Page) -> None:
    customer = await make(Customer.objects.get)()
    order = await make(make_order)(customer=customer, product=await make(Product.objects.get)())
    busy = {"status": 503, "headers": {"Retry-After": "1"}, "body": "busy"}
    await form.route("**/api/v1/orders/?customer=*", lambda route: route.fulfill(**busy), times=1)
    await choose_customer(form, "777888", "王太太")
    await expect(form.locator("#warnings li")).to_contain_text("訂單")
    await expect(form.locator("#warnings").get_by_role("link", name=order.order_number)).to_be_visible()
    await expect(form.locator("[name=another]")).to_be_visible()


class HeldRequest:
    """A route handler that keeps requests from the server until the test sets `release`."""

    def __init__(self) -> None:
        self.release = asyncio.Event()

    async def __call__(self, route: Route) -> None:
        await self.release.wait()
        await route.continue_()


@pytest.mark.long
@pytest.mark.parametrize("is_open", [True, False])
async def test_tick_before_orders_are_loaded_does_not_count_for_an_open_order(form: Page, is_open: bool) -> None:
    customer, product = await make(Customer.objects.get)(), await make(Product.objects.get)()
    await make(make_order)("pending" if is_open else "cancelled", customer=customer, product=product)
    hold = HeldRequest()
    await form.route("**/api/v1/orders/?customer=*", hold)
    # The page shows the customer before the response to this request comes.
    await choose_customer(form, "777888", "王太太")
    tick = form.locator("[name=another]")
    await tick.check()
    hold.release.set()
    await expect(form.locator("#warnings").get_by_role("link")).to_have_count(int(is_open))
    await expect(tick).to_be_visible(visible=is_open)
    await expect(tick).not_to_be_checked()
    await form.focus("[name=notes]")
    await form.keyboard.press("Enter")
    await expect(form.locator("#done")).to_be_visible(visible=not is_open)


async def test_page_warns_if_a_new_customers_number_is_known(form: Page) -> None:
    await choose_new_customer(form, "新來的")
    await expect(form.locator("[name=name]")).to_have_value("新來的")
    # The first request fails.
    await form.route("**/api/v1/customers/?page_size=3*", lambda route: route.abort(), times=1)
    for number in ("0912777888", "", "０９１２７７７８８８"):
        await form.fill("[name=phone]", number)
        await expect(form.locator("#warnings li", has_text="王太太")).to_have_count(1 if number else 0)


@pytest.mark.parametrize("offset", [-DAY_MS, pytest.param(DAY_MS, marks=pytest.mark.long)])
async def test_order_for_today_uses_the_servers_date(form: Page, offset: int) -> None:
    """The PC's date is wrong, or its clock is set while the page is open."""
    today = timezone.localdate()
    for given, later in ((offset, offset), (0, offset), (offset, 0)):
        await shift_clock(form, given)
        await form.reload()
        await set_clock(form, later)
        await choose_customer(form, "777888", "王太太")
        await expect(form.locator("[name=scheduled_date]")).to_have_value(str(today))
        await form.keyboard.press("Escape")
    await make(Order.objects.exclude(status="delivered").unannounced().delete)()
    await choose_customer(form, "777888", "王太太")
    await place_order(form)
    assert (await make(Order.objects.latest)("id")).scheduled_date == today


@pytest.mark.long
@pytest.mark.parametrize(("given", "after"), [(0, 1), (3, 3)])
async def test_order_typed_over_midnight_keeps_the_intended_day(form: Page, given: int, after: int) -> None:
    days = [str(timezone.localdate() + timedelta(days=plus)) for plus in range(4)]
    await choose_customer(form, "777888", "王太太")
    await form.fill("[name=scheduled_date]", days[given])
    noon = datetime.fromisoformat(f"{days[1]}T12:00+08:00").timestamp() * 1000
    # A response that comes later would set the clock back.
    await form.wait_for_load_state("networkidle")
    await form.evaluate("(noon) => import('/static/web/server-clock.js').then((c) => c.setServerTime(noon, 0))", noon)
    await expect(form.locator("[name=scheduled_date]")).to_have_attribute("min", days[1])
    await expect(form.locator("[name=scheduled_date]")).to_have_value(days[after])


async def test_request_for_changed_prices_is_retried_until_it_succeeds(form: Page) -> None:
    await expect(form.locator("connection-status")).to_have_attribute("data-state", "live")
    await choose_customer(form, "777888", "王太太")
    await form.route("**/api/v1/products/*", lambda route: route.fulfill(status=503, body="busy"), times=2)
    product = await make(Product.objects.get)()
    product.price, product.stock = 1000, product.stock + 1
    await make(product.save)()
    await expect(form.locator("#total")).to_contain_text("NT$2,000")


async def test_new_customer_form_is_prefilled_with_the_typed_text(form: Page) -> None:
    await form.keyboard.type("02-2700-1234")
    await expect(form.locator("#found [role=option]")).to_have_count(1)
    await form.keyboard.press("Enter")
    await expect(form.locator("[name=phone]")).to_have_value("02-2700-1234")
    await expect(form.locator("[name=name]")).to_be_focused()
    await expect(form.locator("#warnings li")).to_have_count(1)  # it says that a landline gets no SMS
    await form.keyboard.type("林小姐")
    await form.keyboard.press("Tab")
    await form.keyboard.type("台北市大安區和平東路1號")
    assert await serious_faults(form) == []
    await form.keyboard.press("Enter")
    await expect(form.locator("#done")).to_be_visible()
    assert (await newest_order())["customer"] == "林小姐"


PASTED = [
    "(+886) 912-777-888", "tel:0912777888", "0912‑777‑888", "0912.777.888", "\u200e0912\u200b777888\ufeff",
    "+886 (0)912 777 888", "７７７８８８", "電話：0912-777-888", "００８８６９１２７７７８８８", "0912–777–888",
]  # fmt: skip


async def test_pasted_number_finds_its_customer(form: Page) -> None:
    for text in PASTED:
        await form.fill("#who", "")
        await form.fill("#who", text)
        await wait_for_result(form, "王太太")


async def test_pasted_unknown_number_becomes_the_new_customers_phone(form: Page) -> None:
    for typed, phone_field in (("０９２２０００１１１", "0922000111"), ("\u200e(+886) 922‑333‑444", None)):
        await choose_new_customer(form, typed)
        if phone_field:
            await expect(form.locator("[name=phone]")).to_have_value(phone_field)
            await form.keyboard.press("Escape")
    await expect(form.locator("#order [name=name]")).to_have_value("")
    await form.fill("#order [name=name]", "陳\u200b先生")
    await form.fill("#order [name=address]", "台北市大安區信義路四段9號")
    await form.keyboard.press("Enter")
    await expect(form.locator("#done")).to_be_visible()
    customer = await make(Customer.objects.latest)("id")
    assert (customer.name, customer.phone) == ("陳先生", "+886922333444")


async def test_failed_search_shows_an_error_and_offers_no_new_customer(form: Page) -> None:
    await form.route("**/api/v1/customers/**", lambda route: route.abort())
    await form.keyboard.type("777888")
    await expect(form.locator("#unfound")).to_be_visible()
    await expect(form.locator("#found [role=option]")).to_have_count(0)
    await form.unroute("**/api/v1/customers/**")
    await form.fill("#who", "77788")
    await wait_for_result(form, "王太太")
    await expect(form.locator("#unfound")).to_be_hidden()
    await form.context.clear_cookies(name="sessionid")
    await form.fill("#who", "7788")
    await form.wait_for_url("**/accounts/login/?next=/orders/new/")


async def test_refused_quantity_gets_the_focus(form: Page) -> None:
    await choose_customer(form, "777888", "王太太")
    await form.click("#add")
    await form.locator("[name=quantity]").nth(1).fill("9999")
    await form.locator("[name=quantity]").nth(1).evaluate("field => field.form.noValidate = true")
    await form.locator("#confirm").click()
    await expect(form.locator("#wrong")).to_be_visible()
    await expect(form.locator("[name=quantity]").nth(1)).to_be_focused()
    await expect(form.locator("#signed-out")).to_be_hidden()


async def test_order_can_be_placed_after_sign_in_in_another_tab(form: Page, site: Site) -> None:
    await choose_customer(form, "777888", "王太太")
    await expect(form.locator("#confirm")).to_be_focused()
    await form.context.clear_cookies(name="sessionid")
    await form.locator("#confirm").click()
    await expect(form.locator("#signed-out a")).to_be_visible()
    assert await serious_faults(form) == []
    await sign_in(await form.context.new_page(), site, await make(make_office)())
    await place_order(form)
    assert (await newest_order())["status"] == "confirmed"
    await form.fill("#who", "777888")
    await wait_for_result(form, "王太太")
    await form.keyboard.press("Enter")
    await expect(form.locator("#confirm")).to_be_visible()
    await expect(form.locator("#signed-out")).to_be_hidden()


async def test_refused_order_shows_the_error_and_the_form_keeps_its_input(form: Page) -> None:
    await form.keyboard.type("0900")
    await expect(form.locator("#found [role=option]")).to_have_count(1)
    await form.keyboard.press("Enter")
    await form.fill("[name=name]", "林小姐")
    await form.fill("[name=address]", "台北市")
    await form.keyboard.press("Enter")
    await expect(form.locator("#wrong")).to_be_visible()
    await expect(form.locator("[name=phone]")).to_be_focused()
    await expect(form.locator("[name=name]")).to_have_value("林小姐")
    assert not await make(Customer.objects.filter(name="林小姐").exists)()


async def test_retry_after_a_lost_response_makes_no_second_order(form: Page) -> None:
    await lose_response(form, "POST", "**/api/v1/orders/")
    before = await make(Order.objects.count)()
    await choose_customer(form, "777888", "王太太")
    await expect(form.locator("#confirm")).to_be_focused()
    await form.keyboard.press("Enter")
    await expect(form.locator("#wrong")).to_be_visible()
    await place_order(form)
    assert await make(Order.objects.count)() == before + 1
    assert (await newest_order())["status"] == "confirmed"


async def test_urgent_order_of_another_product_is_placed_unconfirmed(form: Page) -> None:
    other = await make(make_product)(name="16kg 瓦斯桶", price=700)
    await form.reload()
    await choose_customer(form, "王太", "王太太")
    await form.click("#add")
    await form.locator(".line select").last.select_option(str(other.pk))
    await expect(form.locator("#total")).to_contain_text("NT$2,500")
    await form.check("[name=urgent]")
    await form.locator(".line .remove").first.click()
    await expect(form.locator("#total")).to_contain_text("NT$700")
    await place_order(form, "#place")
    order = await make(Order.objects.latest)("id")
    assert (order.status, order.priority, order.amount_due) == ("pending", "urgent", 700)
    assert order.scheduled_date == timezone.localdate()


async def test_next_caller_after_a_lost_response_gets_a_new_order(form: Page) -> None:
    await make(make_customer)(name="大明早餐店", phone="0922-111-222")
    await lose_response(form, "POST", "**/api/v1/orders/")
    await choose_customer(form, "777888", "王太太")
    await form.fill("[name=notes]", "後門")
    await form.check("[name=urgent]")
    await form.click("#confirm")
    await expect(form.locator("#wrong")).to_be_visible()
    await choose_customer(form, "111222", "大明早餐店")
    # The form has no data of the previous caller.
    assert (await form.input_value("[name=notes]"), await form.is_checked("[name=urgent]")) == ("", False)
    await place_order(form)
    assert (await newest_order())["customer"] == "大明早餐店"


@pytest.mark.long
async def test_changed_order_after_a_lost_response_shows_an_error(form: Page) -> None:
    await lose_response(form, "POST", "**/api/v1/orders/")
    await choose_customer(form, "777888", "王太太")
    await form.click("#confirm")
    await expect(form.locator("#wrong")).to_be_visible()
    await form.fill(".line [name=quantity]", "5")
    before = await form.locator("#wrong").inner_text()
    await form.click("#confirm")
    await until(form, "(before) => document.querySelector('#wrong').innerText !== before", before)
    assert (await newest_order())["due"] == 1800


async def test_enter_before_the_response_chooses_the_first_result(form: Page) -> None:
    await make(make_customer)(name="大明早餐店", phone="0922-111-222")
    await form.fill("#who", "777888")
    await wait_for_result(form, "王太太")
    await form.fill("#who", "大明早餐店")
    await form.focus("#who")
    await form.keyboard.press("Enter")
    await expect(form.locator("#customer-name")).to_have_text("大明早餐店")


@pytest.mark.long
async def test_page_links_to_an_order_that_could_not_be_confirmed(form: Page) -> None:
    await form.route("**/status/", lambda route: route.abort())
    await choose_customer(form, "777888", "王太太")
    await form.click("#confirm")
    await expect(form.locator("#wrong")).to_be_visible()
    await form.keyboard.press("Escape")
    await expect(form.locator("#done a")).to_have_attribute(
        "href", f"/?order={(await make(Order.objects.latest)('id')).pk}"
    )
