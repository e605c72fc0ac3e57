"""The driver's page with a connection: stops, proof, photos and changes by the office."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO

import pytest
from asgiref.sync import sync_to_async as make
from django.db import transaction
from PIL import Image

from dispatch.models import Driver
from luckygas.testing.browser import INSECURE, serious_faults, until
from orders.models import Order, ProofImage
from orders.models.order import Proof
from orders.services import assign_route
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_driver, make_product, make_route
from pages.tests.browser.phone import (
    CAN_CLICK,
    TAKE_PHOTO,
    Phone,
    driver_reports,
    make_stop,
    reload_order,
    wait_until_true,
)
from web.actors import Actor

pytestmark = pytest.mark.django_db(transaction=True)
# Collects the texts of toasts, which disappear after a while.
COLLECT_TOASTS = """
window.toastTexts = [];
const collect = (node) => toastTexts.push(node.innerText);
new MutationObserver((changes) => changes.forEach(({ addedNodes }) => addedNodes.forEach(collect))).observe(
  document.querySelector("notification-toasts"), { childList: true });
"""
# Fakes a camera, and a detector that finds one code, as on Android.
FAKE_CAMERA = """
window.BarcodeDetector = class {
  static getSupportedFormats = async () => ["qr_code"];
  detect = async () => [{ rawValue: "CYL-SEEN" }];
};
navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement("canvas");
  canvas.getContext("2d").fillRect(0, 0, 9, 9);
  setInterval(() => canvas.getContext("2d").fillRect(0, 0, 9, 9), 50);
  return canvas.captureStream();
};
"""


async def test_stop_takes_four_presses(phone: Phone, driver: Driver) -> None:
    first, second = await make(make_stop)(driver, quantity=2), await make(make_stop)(driver)
    await phone.open()
    await phone.wait_for_text("#next h2", first.customer.name)
    await phone.wait_for_text("#others .stop", second.customer.name)
    await phone.go("delivering")
    await phone.go("arriving")
    await phone.go()
    await phone.confirm()
    await phone.wait_for_text("#done .stop", first.customer.name)
    await phone.wait_for_text("#next h2", second.customer.name)
    await phone.wait_for_server(first, "delivered")
    changes = await driver_reports(first)
    assert [(row.to_status, row.source, row.sent_later) for row in changes] == [
        ("delivering", "page", False), ("arriving", "page", False), ("delivered", "page", False),
    ]  # fmt: skip
    order = await reload_order(first)
    assert order.amount_collected == order.amount_due == 1600
    assert "1,600" in await phone.text("#done-title")


async def test_navigation_and_call_link_to_the_phones_apps(phone: Phone, driver: Driver) -> None:
    known = await make(make_customer)(phone="0912-345-678", latitude=25.033, longitude=121.5654)
    await make(make_stop)(driver, customer=known)
    await phone.open()
    links = "[...document.querySelectorAll('#next [data-link]')].map((link) => link.getAttribute('href'))"
    shown = await phone.page.evaluate(links)
    assert shown[:2] == ["geo:25.033,121.5654?q=25.033,121.5654", "tel:+886912345678"]


async def test_proof_has_serials_quantities_cash_signature_and_photo(phone: Phone, driver: Driver) -> None:
    product = await make(make_product)()
    order = await make(make_stop)(driver, "arriving", quantity=2, product=product)
    await phone.page.add_init_script(FAKE_CAMERA)
    await phone.open()
    await phone.go()
    proof = phone.page.locator("#proof")
    await proof.get_by_role("button", name="One less").click()
    assert await proof.locator("#proof-amount").input_value() == "800"
    await proof.get_by_role("button", name="One less").click()
    await until(phone.page, CAN_CLICK)
    await proof.locator("[type=submit]").click()
    await phone.wait_for_text("#proof .wrong", "Could not deliver")
    await proof.get_by_role("button", name="One more").click()
    await proof.locator("#proof-amount").fill("750")
    await proof.locator("#proof-serial").fill("cyl-1")
    await proof.locator("#proof-serial").press("Enter")
    await proof.locator("[data-scan]").click()
    await phone.wait_for_text("#proof [data-serials]", "CYL-SEEN")
    await proof.locator("[data-stop]").click()
    await proof.locator("#proof-serial").fill("wrong")
    await proof.locator("[data-add]").click()
    await proof.locator("[data-serials] li", has_text="wrong").get_by_role("button").click()
    await phone.sign()
    await phone.page.evaluate(TAKE_PHOTO)
    await proof.locator("[data-preview]").wait_for()
    assert await serious_faults(phone.page) == []
    await phone.confirm()
    await phone.wait_for_server(order, "delivered")
    order = await reload_order(order)
    confirmation = await make(order.confirmations.get)()
    assert (confirmation.confirmation_type, confirmation.cylinder_serials) == ("qr_code", ["CYL-1", "CYL-SEEN"])
    item = await make(order.items.get)()
    assert (order.status, order.amount_collected, item.quantity_delivered) == ("delivered", 750, 1)
    await phone.wait_for_text("#done-title", "750")
    images = await make(lambda: [(image.kind, image_size(image)) for image in order.proof_images.all()])()
    assert images == [("signature", (640, 240)), ("photo", (1280, 853))]


def image_size(image: ProofImage) -> tuple[int, int]:
    with Image.open(BytesIO(image.read())) as opened:
        return opened.size


async def test_failed_delivery_needs_a_reason(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver, "delivering")
    await phone.open()
    await phone.press("failed")
    report = phone.page.locator("#failed [type=submit]")
    await report.click()
    assert await phone.text("#failed .wrong") != ""
    await phone.page.locator("#failed input[type=radio]").first.check()
    await phone.page.locator("#failed-text").fill("三樓")
    await report.click()
    await phone.wait_for_text("#done .stop", order.customer.name)
    await phone.wait_for_text("#done-title", "Delivered: 0")
    await until(phone.page, "document.activeElement.id === 'content'")
    await phone.wait_for_server(order, "failed")
    (done,) = await driver_reports(order)
    assert done.to_status == "failed"
    assert done.reason.endswith(": 三樓")


async def test_moves_can_be_undone_and_a_double_click_counts_once(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    await phone.page.locator("#next .go").dblclick()
    await phone.go("arriving")
    await phone.press("back", "delivering")
    await phone.press("back", "assigned")
    await phone.wait_for_server(order, "assigned")
    assert [row.to_status for row in await driver_reports(order)] == [
        "delivering",
        "arriving",
        "delivering",
        "assigned",
    ]


async def test_changes_by_the_office_appear_on_the_open_page(phone: Phone, driver: Driver) -> None:
    stop = await make(make_stop)(driver)
    await phone.open()
    await phone.page.evaluate(COLLECT_TOASTS)
    await phone.wait_for_text("#next h2", stop.customer.name)
    urgent = await make(make_stop)(driver, stop_sequence=None, priority="urgent")
    await phone.wait_for_text("#next h2", urgent.customer.name)
    await phone.wait_for_text("notification-toasts", urgent.customer.name)
    names = [stop.customer.name, urgent.customer.name]
    await make(urgent.assign)(None)
    await phone.wait_for_text("#next h2", stop.customer.name)
    await make(stop.transition_to)(OrderStatus.DELIVERING)
    await phone.page.locator("#next [data-status=delivering]").wait_for()
    arriving = await make(make_stop)(driver, "arriving")
    names.append(arriving.customer.name)
    await phone.wait_for_text("main", arriving.customer.name)
    await make(arriving.transition_to)(OrderStatus.DELIVERED, proof=Proof(parts={"amount_collected": 730}))
    await phone.wait_for_text("#done-title", "730")
    await make(stop.transition_to)(OrderStatus.CANCELLED, reason="改日")
    await phone.page.locator("#nothing").wait_for()
    # Each added or removed stop shows one toast, although it causes several events.
    toast_texts = await phone.page.evaluate("toastTexts")
    assert [[name for name in names if name in text] for text in toast_texts] == [
        [names[1]],
        [names[1]],
        [names[2]],
        [names[0]],
    ]


@pytest.mark.long
async def test_assigned_route_removed_route_and_postponed_stop_show_toasts(phone: Phone, driver: Driver) -> None:
    other = await make(make_driver)()
    route = await make(make_route)(driver=other)
    stop = await make(make_stop)(other, route=route)
    await phone.open()
    await phone.page.evaluate(COLLECT_TOASTS)
    await phone.page.locator("#nothing").wait_for()
    for number, to in enumerate((driver, other), start=1):
        await make(transaction.atomic(assign_route))(route.pk, to, Actor())
        await until(phone.page, f"toastTexts.length === {number}")
        assert stop.customer.name in await phone.page.evaluate("toastTexts.at(-1)")
    await phone.page.locator("#nothing").wait_for()
    late = await make(make_stop)(driver)
    await until(phone.page, "toastTexts.length === 3")
    late.scheduled_date += timedelta(days=1)
    await make(late.save)()
    await until(phone.page, "toastTexts.length === 4")
    assert late.customer.name in await phone.page.evaluate("toastTexts.at(-1)")


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_has_no_serious_accessibility_fault_and_no_small_buttons(
    phone: Phone, driver: Driver, scheme: str
) -> None:
    stops = [
        await make(make_stop)(driver, status, priority="urgent") for status in ("arriving", "assigned", "delivered")
    ]
    await phone.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await phone.open()
    await phone.wait_for_text("#done .stop", stops[2].customer.name)
    assert await serious_faults(phone.page) == []
    await phone.press("failed")
    assert await serious_faults(phone.page) == []
    small = "[...document.querySelectorAll('button, summary, a, input')].filter((e) => e.checkVisibility() && "
    small += "!e.matches('.skip, .unseen, input[type=radio]')).filter((e) => e.getBoundingClientRect().height < 44)"
    assert await until(phone.page, f"JSON.stringify({small}.map((e) => e.outerHTML))") == "[]"


# Holds the decoding of a photo until the test calls `decoded()`.
SLOW_PHOTO = """
const decode = window.createImageBitmap;
window.createImageBitmap = async (...values) => {
  await new Promise((resolve) => (window.decoded = resolve));
  return decode(...values);
};
"""
# When the form closes, clicks what the second tap of a double tap would hit.
DOUBLE_TAP = """() => document.querySelector("#proof").addEventListener("close", () => {
  document.querySelector("#next .go").click();
  document.querySelector("#others .stop").click();
})"""


@pytest.mark.long
async def test_confirmation_waits_for_the_photo_and_photo_can_be_removed(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver, "arriving")
    await phone.page.add_init_script(SLOW_PHOTO)
    await phone.open()
    proof, preview = phone.page.locator("#proof"), phone.page.locator("[data-preview]")
    await phone.go()
    await phone.page.evaluate(TAKE_PHOTO)
    await proof.locator("[data-cancel]").click()
    await phone.go()
    await phone.page.evaluate("window.decoded()")
    await phone.page.evaluate(TAKE_PHOTO)
    assert await preview.is_hidden()
    await phone.page.evaluate("window.decoded()")
    await preview.wait_for()
    await proof.locator("[data-no-photo]").click()
    assert await preview.is_hidden()
    await phone.page.evaluate(TAKE_PHOTO)
    await until(phone.page, CAN_CLICK)
    await proof.locator("[type=submit]").click()
    await phone.page.evaluate("window.decoded()")
    await proof.wait_for(state="hidden")
    await phone.wait_for_server(order, "delivered")
    assert await make(lambda: [image.kind for image in ProofImage.objects.all()])() == ["photo"]


async def test_unfinished_proof_survives_a_reload(phone: Phone, driver: Driver) -> None:
    order, next_one = [await make(make_stop)(driver, "arriving", quantity=2) for _ in "12"]
    await phone.open()
    await phone.go()
    proof = phone.page.locator("#proof")
    await proof.get_by_role("button", name="One less").click()
    await proof.locator("#proof-serial").fill("CYL-1")
    await proof.locator("[data-add]").click()
    await proof.locator("#proof-amount").fill("750")
    await phone.page.reload()
    await phone.wait_until_live()
    await phone.go()
    await phone.wait_for_text("#proof [data-serials]", "CYL-1")
    await phone.confirm()
    await phone.wait_for_server(order, "delivered")
    confirmation, item = await make(order.confirmations.get)(), await make(order.items.get)()
    assert (confirmation.cylinder_serials, item.quantity_delivered) == (["CYL-1"], 1)
    assert (await reload_order(order)).amount_collected == 750
    await phone.wait_for_text("#next h2", next_one.customer.name)
    await phone.go()
    assert await proof.locator("[data-serials] li").count() == 0
    assert await proof.locator("#proof-amount").input_value() == str(next_one.amount_due)


@pytest.mark.long
async def test_failing_image_does_not_block_reports(phone: Phone, driver: Driver) -> None:
    first, second = await make(make_stop)(driver), await make(make_stop)(driver)
    await phone.page.context.route("**/proof-images/", lambda route: route.abort())
    await phone.open()
    await phone.deliver("CYL-1")
    await phone.go("delivering")
    await wait_until_true(lambda: Order.objects.filter(pk=second.pk, status=OrderStatus.DELIVERING).exists())
    await until(phone.page, "document.querySelectorAll('#waiting li').length === 1")
    await phone.page.context.unroute("**/proof-images/")
    await phone.wait_for_server(first, "delivered")
    assert await make(ProofImage.objects.filter(order=first).count)() == 1


async def test_double_tap_on_confirm_does_not_move_the_next_stop(phone: Phone, driver: Driver) -> None:
    first = await make(make_stop)(driver, "arriving", stop_sequence=1)
    second, _ = [await make(make_stop)(driver, stop_sequence=number) for number in (2, 3)]
    await phone.open()
    await phone.page.evaluate(DOUBLE_TAP)
    await phone.go()
    await phone.confirm()
    await phone.wait_for_server(first, "delivered")
    await phone.wait_for_text("#next h2", second.customer.name)
    assert await phone.page.locator("#next [data-status=assigned]").count() == 1
    assert await phone.page.evaluate("document.activeElement.matches('.stop-card')")


async def test_refused_delivery_shows_its_proof_and_sends_its_image(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    await phone.page.context.set_offline(True)
    await phone.deliver("CYL-1")
    for status in (OrderStatus.DELIVERING, OrderStatus.ARRIVING, OrderStatus.DELIVERED):
        await make(order.transition_to)(status)
    await phone.page.context.set_offline(False)
    notice = phone.page.locator("#refused .notice")
    await notice.wait_for()
    text = await notice.inner_text()
    assert "NT$800" in text
    assert "CYL-1" in text
    await phone.wait_for_server(order, "delivered")
    assert await make(ProofImage.objects.filter(order=order).count)() == 1


@pytest.mark.long
async def test_stop_is_delivered_over_plain_http(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.page.add_init_script(INSECURE)
    await phone.open()
    await phone.deliver("CYL-1")
    await phone.wait_for_server(order, "delivered")
