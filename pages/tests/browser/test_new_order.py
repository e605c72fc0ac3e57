"""An order by telephone, entered with the keyboard."""

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
async def call(page: Page, site: Site) -> Page:
    """The open page. The customer 王太太 usually orders two of 20 kg."""
    product = await make(make_product)(price=900)
    customer = await make(make_customer)(name="王太太", phone="0912-777-888")
    await make(make_order)(OrderStatus.DELIVERED, customer=customer, product=product, quantity=2)
    await sign_in(page, site, await make(make_office)(), "/orders/new/")
    return page


@make
def newest() -> dict[str, Any]:
    order = Order.objects.select_related("customer").latest("id")
    items = [(item.product_id, item.quantity) for item in order.items.all()]
    return {"customer": order.customer.name, "status": order.status, "items": items, "due": order.amount_due}


async def found(page: Page, text: str) -> None:
    await expect(page.locator("#found [role=option]").first).to_contain_text(text)


async def take(page: Page, typed: str, name: str) -> None:
    await page.fill("#who", typed)
    await found(page, name)
    await page.focus("#who")
    await page.keyboard.press("Enter")
    await expect(page.locator("#customer-name")).to_have_text(name)


async def place(page: Page, button: str = "#confirm") -> None:
    await page.click(button)
    await expect(page.locator("#done")).to_be_visible()


async def stranger(page: Page, typed: str) -> None:
    """Types a name or number that no customer has, and chooses “New customer”."""
    await page.fill("#who", typed)
    await expect(page.locator("#found [role=option]")).to_have_count(1)
    await found(page, "新客戶")
    await page.focus("#who")
    await page.keyboard.press("Enter")


async def lose_once(page: Page, method: str, path: str) -> None:
    """Lets the server execute the next request and drops its response."""
    lost = [True]

    async def lose(route: Route) -> None:
        if route.request.method == method and lost:
            lost.clear()
            await route.fetch()
            await route.abort()
        else:
            await route.continue_()

    await page.route(path, lose)


async def test_usual_order_takes_two_keys_after_the_digits(call: Page) -> None:
    product = await make(Product.objects.get)()
    await call.keyboard.type("777888")
    await found(call, "王太太")
    await expect(call.locator("#found small").first).to_have_text("20kg 瓦斯桶 × 2")
    assert await serious_faults(call) == []
    await call.keyboard.press("Enter")
    await expect(call.locator("#total")).to_contain_text("NT$1,800")
    assert await serious_faults(call) == []
    await call.keyboard.press("Enter")
    await expect(call.locator("#done")).to_be_visible()
    assert await newest() == {"customer": "王太太", "status": "confirmed", "items": [(product.pk, 2)], "due": 1800}
    # The page is ready for the next call.
    await expect(call.locator("#who")).to_be_focused()
    await expect(call.locator("#order")).to_be_hidden()


@pytest.mark.long
async def test_an_order_is_placed_over_plain_http_in_a_lan(call: Page) -> None:
    await call.add_init_script(INSECURE)
    await call.reload()
    await take(call, "777888", "王太太")
    await place(call)
    assert (await newest())["due"] == 1800


@pytest.mark.long
async def test_orders_of_all_found_customers_need_one_request(call: Page) -> None:
    product = await make(Product.objects.get)()
    for name, quantity in (("王先生", 1), ("王小弟", 3)):
        customer = await make(make_customer)(name=name)
        await make(make_order)(customer=customer, product=product, quantity=quantity)
    asked: list[str] = []
    call.on("request", lambda request: asked.append(request.url) if "/orders/?customer=" in request.url else None)
    await call.fill("#who", "台北市")
    for name, usual in (("王先生", "20kg 瓦斯桶 × 1"), ("王小弟", "20kg 瓦斯桶 × 3"), ("王太太", "20kg 瓦斯桶 × 2")):
        await expect(call.locator("#found [role=option]", has_text=name).locator("small").first).to_have_text(usual)
    assert len(asked) == 1


async def test_page_warns_of_an_open_order_and_a_missing_mobile(call: Page) -> None:
    customer = await make(make_customer)(name="陳老闆", phone="02-2345-6789")
    order = await make(make_order)(customer=customer, product=await make(Product.objects.get)())
    await take(call, "陳老", "陳老闆")
    warnings = call.locator("#warnings li")
    await expect(warnings).to_have_count(2)
    await expect(warnings.first.get_by_role("link", name=order.order_number)).to_have_attribute(
        "href", f"/?order={order.pk}"
    )
    assert await serious_faults(call) == []


@pytest.mark.parametrize("is_read", [True, False])
async def test_second_order_needs_a_tick(call: Page, is_read: bool) -> None:
    """The same if the customer's orders cannot be loaded."""
    if is_read:
        customer, product = await make(Customer.objects.get)(), await make(Product.objects.get)()
        await make(make_order)(customer=customer, product=product)
    else:
        await call.route("**/api/v1/orders/?customer=*", lambda route: route.abort())
    before = await make(Order.objects.count)()
    await take(call, "777888", "王太太")
    tick = call.locator("[name=another]")
    await expect(tick).to_be_visible()
    for selector in ("[name=notes]", "[name=quantity]", "#confirm", "#place"):
        await call.focus(selector)
        await call.keyboard.press("Enter")
    assert await call.locator("#done").is_hidden()
    assert await make(Order.objects.count)() == before
    await tick.focus()
    await call.keyboard.press("Space")
    await call.keyboard.press("Enter")
    await expect(call.locator("#done")).to_be_visible()
    assert await make(Order.objects.count)() == before + 1
    # The tick is reset for the next caller.
    await call.unroute("**/api/v1/orders/?customer=*")
    await make(make_customer)(name="大明早餐店", phone="0922-111-222")
    await take(call, "111222", "大明早餐店")
    await expect(tick).to_be_hidden()
    await place(call)


async def test_chosen_customers_full_number_is_shown(call: Page) -> None:
    customer = await make(make_customer)(name="陳老闆", phone="02-2345-6789 分機29", phone2="0922-111-222")
    await call.keyboard.type("陳老")
    await found(call, "陳老闆")
    assert "2345" not in await call.locator("#found").inner_text()
    await call.route(f"**/api/v1/customers/{customer.pk}/", lambda route: route.abort(), times=1)
    await call.keyboard.press("Enter")
    await expect(call.locator("#known [data-field=phone]")).to_have_text("02-2345-6789 分機29 · 0922-111-222")
    await call.keyboard.press("Escape")
    assert "2345" not in await call.locator("#known").inner_html()


async def test_numbers_are_grouped_as_on_the_other_pages(call: Page) -> None:
    given = ("0912-345-678", "02-2345-6789", "04-722-2333", "037-123456", "049-291-0960", "089-123456", "0800-123-456",
             "070-1234-5678", "082-323456", "0836-22222", "0826-66666", "03-123-4567 分機1234", "+81 3-1234-5678",
             "07-012-3456", "020-123-4567", "0991-234-567")  # fmt: skip
    stored = [phones.normalise(number) for number in given]
    shown = "(numbers) => import('/static/web/telephone.js').then(({ phoneText }) => numbers.map(phoneText))"
    assert await call.evaluate(shown, stored) == [phones.display(number) for number in stored]


@pytest.mark.long
async def test_open_order_warning_appears_once_orders_are_loaded(call: Page) -> None:
    customer = await make(Customer.objects.get)()
    order = await make(make_order)(customer=customer, product=await make(Product.objects.get)())
    busy = {"status": 503, "headers": {"Retry-After": "1"}, "body": "busy"}
    await call.route("**/api/v1/orders/?customer=*", lambda route: route.fulfill(**busy), times=1)
    await take(call, "777888", "王太太")
    await expect(call.locator("#warnings li")).to_contain_text("訂單")
    await expect(call.locator("#warnings").get_by_role("link", name=order.order_number)).to_be_visible()
    await expect(call.locator("[name=another]")).to_be_visible()


class Late:
    """Holds a response until the test releases it."""

    def __init__(self) -> None:
        self.answer = asyncio.Event()

    async def __call__(self, route: Route) -> None:
        await self.answer.wait()
        await route.continue_()


@pytest.mark.long
@pytest.mark.parametrize("is_open", [True, False])
async def test_tick_before_orders_are_loaded_is_not_valid_for_an_open_order(call: Page, is_open: bool) -> None:
    customer, product = await make(Customer.objects.get)(), await make(Product.objects.get)()
    await make(make_order)("pending" if is_open else "cancelled", customer=customer, product=product)
    late = Late()
    await call.route("**/api/v1/orders/?customer=*", late)
    # The page does not wait for that response.
    await take(call, "777888", "王太太")
    tick = call.locator("[name=another]")
    await tick.check()
    late.answer.set()
    await expect(call.locator("#warnings").get_by_role("link")).to_have_count(int(is_open))
    await expect(tick).to_be_visible(visible=is_open)
    await expect(tick).not_to_be_checked()
    await call.focus("[name=notes]")
    await call.keyboard.press("Enter")
    await expect(call.locator("#done")).to_be_visible(visible=not is_open)


async def test_page_warns_if_a_new_customers_number_is_known(call: Page) -> None:
    await stranger(call, "新來的")
    await expect(call.locator("[name=name]")).to_have_value("新來的")
    # Also after a request that fails.
    await call.route("**/api/v1/customers/?page_size=3*", lambda route: route.abort(), times=1)
    for number in ("0912777888", "", "０９１２７７７８８８"):
        await call.fill("[name=phone]", number)
        await expect(call.locator("#warnings li", has_text="王太太")).to_have_count(1 if number else 0)


@pytest.mark.parametrize("off", [-DAY_MS, pytest.param(DAY_MS, marks=pytest.mark.long)])
async def test_order_for_today_uses_the_servers_date(call: Page, off: int) -> None:
    """On a PC whose date is wrong, and on one whose clock is set while the page is open."""
    today = timezone.localdate()
    for given, later in ((off, off), (0, off), (off, 0)):
        await shift_clock(call, given)
        await call.reload()
        await set_clock(call, later)
        await take(call, "777888", "王太太")
        await expect(call.locator("[name=scheduled_date]")).to_have_value(str(today))
        await call.keyboard.press("Escape")
    await make(Order.objects.exclude(status="delivered").unannounced().delete)()
    await take(call, "777888", "王太太")
    await place(call)
    assert (await make(Order.objects.latest)("id")).scheduled_date == today


@pytest.mark.long
@pytest.mark.parametrize(("given", "after"), [(0, 1), (3, 3)])
async def test_order_typed_over_midnight_keeps_the_intended_day(call: Page, given: int, after: int) -> None:
    days = [str(timezone.localdate() + timedelta(days=plus)) for plus in range(4)]
    await take(call, "777888", "王太太")
    await call.fill("[name=scheduled_date]", days[given])
    noon = datetime.fromisoformat(f"{days[1]}T12:00+08:00").timestamp() * 1000
    # A late response would set the clock back.
    await call.wait_for_load_state("networkidle")
    await call.evaluate("(noon) => import('/static/web/server-clock.js').then((c) => c.setServerTime(noon, 0))", noon)
    await expect(call.locator("[name=scheduled_date]")).to_have_attribute("min", days[1])
    await expect(call.locator("[name=scheduled_date]")).to_have_value(days[after])


async def test_changed_price_is_retried_until_loaded(call: Page) -> None:
    await expect(call.locator("connection-status")).to_have_attribute("data-state", "live")
    await take(call, "777888", "王太太")
    await call.route("**/api/v1/products/*", lambda route: route.fulfill(status=503, body="busy"), times=2)
    product = await make(Product.objects.get)()
    product.price, product.stock = 1000, product.stock + 1
    await make(product.save)()
    await expect(call.locator("#total")).to_contain_text("NT$2,000")


async def test_new_customer_form_is_prefilled_with_the_typed_text(call: Page) -> None:
    await call.keyboard.type("02-2700-1234")
    await expect(call.locator("#found [role=option]")).to_have_count(1)
    await call.keyboard.press("Enter")
    await expect(call.locator("[name=phone]")).to_have_value("02-2700-1234")
    await expect(call.locator("[name=name]")).to_be_focused()
    await expect(call.locator("#warnings li")).to_have_count(1)  # a landline gets no SMS
    await call.keyboard.type("林小姐")
    await call.keyboard.press("Tab")
    await call.keyboard.type("台北市大安區和平東路1號")
    assert await serious_faults(call) == []
    await call.keyboard.press("Enter")
    await expect(call.locator("#done")).to_be_visible()
    assert (await newest())["customer"] == "林小姐"


PASTED = [
    "(+886) 912-777-888", "tel:0912777888", "0912‑777‑888", "0912.777.888", "\u200e0912\u200b777888\ufeff",
    "+886 (0)912 777 888", "７７７８８８", "電話：0912-777-888", "００８８６９１２７７７８８８", "0912–777–888",
]  # fmt: skip


async def test_pasted_number_finds_its_customer(call: Page) -> None:
    for text in PASTED:
        await call.fill("#who", "")
        await call.fill("#who", text)
        await found(call, "王太太")


async def test_pasted_unknown_number_becomes_the_new_customers_phone(call: Page) -> None:
    for typed, taken in (("０９２２０００１１１", "0922000111"), ("\u200e(+886) 922‑333‑444", None)):
        await stranger(call, typed)
        if taken:
            await expect(call.locator("[name=phone]")).to_have_value(taken)
            await call.keyboard.press("Escape")
    await expect(call.locator("#order [name=name]")).to_have_value("")
    await call.fill("#order [name=name]", "陳\u200b先生")
    await call.fill("#order [name=address]", "台北市大安區信義路四段9號")
    await call.keyboard.press("Enter")
    await expect(call.locator("#done")).to_be_visible()
    customer = await make(Customer.objects.latest)("id")
    assert (customer.name, customer.phone) == ("陳先生", "+886922333444")


async def test_failed_search_does_not_offer_a_new_customer(call: Page) -> None:
    await call.route("**/api/v1/customers/**", lambda route: route.abort())
    await call.keyboard.type("777888")
    await expect(call.locator("#unfound")).to_be_visible()
    await expect(call.locator("#found [role=option]")).to_have_count(0)
    await call.unroute("**/api/v1/customers/**")
    await call.fill("#who", "77788")
    await found(call, "王太太")
    await expect(call.locator("#unfound")).to_be_hidden()
    await call.context.clear_cookies(name="sessionid")
    await call.fill("#who", "7788")
    await call.wait_for_url("**/accounts/login/?next=/orders/new/")


async def test_refused_line_gets_the_focus(call: Page) -> None:
    await take(call, "777888", "王太太")
    await call.click("#add")
    await call.locator("[name=quantity]").nth(1).fill("9999")
    await call.locator("[name=quantity]").nth(1).evaluate("field => field.form.noValidate = true")
    await call.locator("#confirm").click()
    await expect(call.locator("#wrong")).to_be_visible()
    await expect(call.locator("[name=quantity]").nth(1)).to_be_focused()
    await expect(call.locator("#signed-out")).to_be_hidden()


async def test_order_can_be_placed_after_sign_in_in_another_tab(call: Page, site: Site) -> None:
    await take(call, "777888", "王太太")
    await expect(call.locator("#confirm")).to_be_focused()
    await call.context.clear_cookies(name="sessionid")
    await call.locator("#confirm").click()
    await expect(call.locator("#signed-out a")).to_be_visible()
    assert await serious_faults(call) == []
    await sign_in(await call.context.new_page(), site, await make(make_office)())
    await place(call)
    assert (await newest())["status"] == "confirmed"
    await call.fill("#who", "777888")
    await found(call, "王太太")
    await call.keyboard.press("Enter")
    await expect(call.locator("#confirm")).to_be_visible()
    await expect(call.locator("#signed-out")).to_be_hidden()


async def test_refusal_is_shown_and_the_form_keeps_its_input(call: Page) -> None:
    await call.keyboard.type("0900")
    await expect(call.locator("#found [role=option]")).to_have_count(1)
    await call.keyboard.press("Enter")
    await call.fill("[name=name]", "林小姐")
    await call.fill("[name=address]", "台北市")
    await call.keyboard.press("Enter")
    await expect(call.locator("#wrong")).to_be_visible()
    await expect(call.locator("[name=phone]")).to_be_focused()
    await expect(call.locator("[name=name]")).to_have_value("林小姐")
    assert not await make(Customer.objects.filter(name="林小姐").exists)()


async def test_lost_response_makes_no_second_order(call: Page) -> None:
    await lose_once(call, "POST", "**/api/v1/orders/")
    before = await make(Order.objects.count)()
    await take(call, "777888", "王太太")
    await expect(call.locator("#confirm")).to_be_focused()
    await call.keyboard.press("Enter")
    await expect(call.locator("#wrong")).to_be_visible()
    await place(call)
    assert await make(Order.objects.count)() == before + 1
    assert (await newest())["status"] == "confirmed"


async def test_another_product_and_an_urgent_order_for_another_day(call: Page) -> None:
    other = await make(make_product)(name="16kg 瓦斯桶", price=700)
    await call.reload()
    await take(call, "王太", "王太太")
    await call.click("#add")
    await call.locator(".line select").last.select_option(str(other.pk))
    await expect(call.locator("#total")).to_contain_text("NT$2,500")
    await call.check("[name=urgent]")
    await call.locator(".line .remove").first.click()
    await expect(call.locator("#total")).to_contain_text("NT$700")
    await place(call, "#place")
    order = await make(Order.objects.latest)("id")
    assert (order.status, order.priority, order.amount_due) == ("pending", "urgent", 700)
    assert order.scheduled_date == timezone.localdate()


async def test_next_caller_after_a_lost_response_gets_a_new_order(call: Page) -> None:
    await make(make_customer)(name="大明早餐店", phone="0922-111-222")
    await lose_once(call, "POST", "**/api/v1/orders/")
    await take(call, "777888", "王太太")
    await call.fill("[name=notes]", "後門")
    await call.check("[name=urgent]")
    await call.click("#confirm")
    await expect(call.locator("#wrong")).to_be_visible()
    await take(call, "111222", "大明早餐店")
    # The form has no data of the previous caller.
    assert (await call.input_value("[name=notes]"), await call.is_checked("[name=urgent]")) == ("", False)
    await place(call)
    assert (await newest())["customer"] == "大明早餐店"


@pytest.mark.long
async def test_change_after_a_lost_response_is_not_dropped_silently(call: Page) -> None:
    await lose_once(call, "POST", "**/api/v1/orders/")
    await take(call, "777888", "王太太")
    await call.click("#confirm")
    await expect(call.locator("#wrong")).to_be_visible()
    await call.fill(".line [name=quantity]", "5")
    before = await call.locator("#wrong").inner_text()
    await call.click("#confirm")
    await until(call, "(before) => document.querySelector('#wrong').innerText !== before", before)
    assert (await newest())["due"] == 1800


async def test_enter_before_the_response_chooses_the_last_search(call: Page) -> None:
    await make(make_customer)(name="大明早餐店", phone="0922-111-222")
    await call.fill("#who", "777888")
    await found(call, "王太太")
    await call.fill("#who", "大明早餐店")
    await call.focus("#who")
    await call.keyboard.press("Enter")
    await expect(call.locator("#customer-name")).to_have_text("大明早餐店")


@pytest.mark.long
async def test_unconfirmed_order_is_reported(call: Page) -> None:
    await call.route("**/status/", lambda route: route.abort())
    await take(call, "777888", "王太太")
    await call.click("#confirm")
    await expect(call.locator("#wrong")).to_be_visible()
    await call.keyboard.press("Escape")
    await expect(call.locator("#done a")).to_have_attribute(
        "href", f"/?order={(await make(Order.objects.latest)('id')).pk}"
    )
