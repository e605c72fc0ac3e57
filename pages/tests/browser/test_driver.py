"""The driver's page while it is online."""

from __future__ import annotations

import json
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make
from django.db import transaction
from django.utils import timezone
from PIL import Image
from playwright.async_api import WebSocketRoute

from dispatch.models import Driver, DriverLocation
from luckygas.testing.browser import INSECURE, serious_faults, until
from luckygas.testing.waiting import wait_for_async
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


# Counts how often the page begins to watch the position.
COUNT_WATCHES = """
window.watches = 0;
const watch = navigator.geolocation.watchPosition.bind(navigator.geolocation);
navigator.geolocation.watchPosition = (...values) => (window.watches += 1, watch(...values));
"""
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
    kept = await make(lambda: [(image.kind, image_size(image)) for image in order.proof_images.all()])()
    assert kept == [("signature", (640, 240)), ("photo", (1280, 853))]


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
    await phone.wait_for_text("#done-title", "Done: 0")
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


async def test_position_is_shared_only_on_the_road(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.page.context.grant_permissions(["geolocation"])
    await phone.page.context.set_geolocation({"latitude": 25.01, "longitude": 121.51, "accuracy": 8})
    await phone.page.add_init_script(COUNT_WATCHES)
    await phone.open()
    assert await phone.page.locator("#sharing").is_hidden()
    assert await phone.page.evaluate("window.watches") == 0
    await phone.go("delivering")
    assert await phone.page.evaluate("window.watches") == 1
    await phone.page.locator("#sharing.good").wait_for()
    await wait_until_true(lambda: DriverLocation.objects.filter(driver=driver, latitude=25.01).exists())
    await phone.press("back", "assigned")
    await phone.page.locator("#sharing").wait_for(state="hidden")
    await phone.page.context.set_geolocation({"latitude": 25.02, "longitude": 121.52, "accuracy": 8})
    await phone.wait_for_server(order, "assigned")
    assert not await make(DriverLocation.objects.filter(latitude=25.02).exists)()
    await phone.go("delivering")
    await wait_until_true(lambda: DriverLocation.objects.filter(driver=driver, latitude=25.02).exists())
    await phone.page.context.set_offline(True)
    await phone.page.locator("#sharing:not(.good)").wait_for()
    assert "no connection" in await phone.text("#sharing")


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


WEEK = 7 * 86_400_000
# Fakes the geolocation. The test calls `fix({…coords}, timestamp)` for each position.
FAKE_GPS = """
let report = null;
navigator.geolocation.watchPosition = (callback) => ((report = callback), 1);
navigator.geolocation.clearWatch = () => (report = null);
window.fix = (coords, timestamp) => report({
  coords: { latitude: 25.01, longitude: 121.51, accuracy: 8, speed: null, heading: null, ...coords }, timestamp,
});
"""
# Impossible timestamps that phones report: 1,024 weeks ago, 2001, an hour ahead, in microseconds, none.
TIMESTAMPS = [
    f"Date.now() - {1024 * WEEK}", "Date.UTC(2001, 0)", "Date.now() + 3_600_000", "Date.now() * 1000", "NaN",
]  # fmt: skip


async def open_on_the_road(phone: Phone, driver: Driver) -> None:
    await make(make_stop)(driver, "delivering")
    await phone.page.add_init_script(FAKE_GPS)
    await phone.open()
    await phone.page.locator("#sharing").wait_for()


async def wait_for_location(driver: Driver, **fields: Any) -> DriverLocation:
    """Waits until the driver's location with these fields is stored."""
    await wait_until_true(lambda: DriverLocation.objects.filter(driver=driver, **fields).exists())
    return await make(DriverLocation.objects.get)(driver=driver)


async def test_position_with_an_impossible_timestamp_is_sent(phone: Phone, driver: Driver) -> None:
    await open_on_the_road(phone, driver)
    for number, timestamp in enumerate(TIMESTAMPS):
        await phone.page.evaluate(f"fix({{ latitude: 25 + {number} / 100 }}, {timestamp})")
        row = await wait_for_location(driver, latitude=25 + number / 100)
        assert abs(timezone.now() - row.recorded_at) < timedelta(seconds=30), timestamp
    await phone.page.locator("#sharing.good").wait_for()


# Coordinates as phones report them, and what the server stores.
ODD_VALUES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"speed": -1, "heading": -1, "accuracy": -1}, {"speed": None, "heading": None, "accuracy": None}),
    ({"speed": 100, "heading": 400, "accuracy": 300_000}, {"speed": None, "heading": None, "accuracy": None}),
    ({"speed": 10, "heading": 90}, {"speed": 36, "heading": 90, "accuracy": 8}),
]


@pytest.mark.long
async def test_impossible_speed_heading_or_accuracy_is_left_out(phone: Phone, driver: Driver) -> None:
    await open_on_the_road(phone, driver)
    for number, (coords, kept) in enumerate(ODD_VALUES, start=1):
        await phone.page.evaluate("(coords) => fix(coords, Date.now())", coords | {"latitude": 24 + number / 100})
        row = await wait_for_location(driver, latitude=24 + number / 100)
        assert {name: getattr(row, name) for name in kept} == kept


async def test_invalid_coordinates_show_that_the_position_is_unknown(phone: Phone, driver: Driver) -> None:
    await open_on_the_road(phone, driver)
    await phone.page.evaluate("fix({ latitude: NaN }, Date.now())")
    await phone.wait_for_text("#sharing", "unknown")
    await phone.page.evaluate("fix({}, Date.now())")
    await phone.page.locator("#sharing.good").wait_for()


async def test_page_says_shared_only_after_the_server_confirmed(phone: Phone, driver: Driver) -> None:
    dropped: list[str] = []
    is_dropping = True

    async def join(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if is_dropping and json.loads(message)["type"] == "location_update":
                dropped.append(str(message))
            else:
                server.send(message)

        socket.on_message(pass_on)

    await phone.page.clock.install()
    await phone.page.route_web_socket("**", join)
    await open_on_the_road(phone, driver)
    await phone.page.evaluate("fix({}, Date.now())")
    await wait_for_async(lambda: bool(dropped))
    assert await phone.page.locator("#sharing.good").count() == 0
    await phone.page.clock.fast_forward(11_000)
    await phone.wait_for_text("#sharing", "office does not receive it")
    # A driver who stands still has no new position, so the last one is sent again.
    is_dropping = False
    await phone.page.clock.fast_forward(3_000)
    await phone.page.locator("#sharing.good").wait_for()
    assert await make(DriverLocation.objects.filter(driver=driver).exists)()


# Holds the decoding of a photo until the test calls `decoded()`.
SLOW_PHOTO = """
const decode = window.createImageBitmap;
window.createImageBitmap = async (...values) => {
  await new Promise((resolve) => (window.decoded = resolve));
  return decode(...values);
};
"""
# Every access to a database fails.
NO_DISK = """
IDBFactory.prototype.open = () => {
  throw new DOMException("The disk is broken.", "UnknownError");
};
"""
# Every write to a database fails.
FULL_DISK = """
for (const name of ["add", "put"]) IDBObjectStore.prototype[name] = function () {
  this.transaction.abort();
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
@pytest.mark.parametrize("fault", [NO_DISK, FULL_DISK])
async def test_page_without_storage_works_online_and_refuses_reports_offline(
    phone: Phone, driver: Driver, fault: str
) -> None:
    order = await make(make_stop)(driver)
    await phone.page.add_init_script(fault)
    await phone.open()
    await phone.page.locator("#unsaved").wait_for()
    await phone.go("delivering")
    await phone.wait_for_server(order, "delivering")
    await phone.page.context.set_offline(True)
    await phone.go()
    await phone.wait_for_text("notification-toasts", "could not save the report")
    assert await phone.page.locator("#waiting").is_hidden()
    assert (await reload_order(order)).status == OrderStatus.DELIVERING


@pytest.mark.long
async def test_stop_is_delivered_over_plain_http(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.page.add_init_script(INSECURE)
    await phone.open()
    await phone.deliver("CYL-1")
    await phone.wait_for_server(order, "delivered")
