"""The driver's page where something is in the way: a full disk, a slow camera, a hurried finger."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async as make

from dispatch.models import Driver
from luckygas.testing.browser import INSECURE, until
from orders.models import Order, ProofImage
from orders.states import Status
from pages.tests.browser.phone import PHOTO, RESTED, Phone, fresh, make_stop, until_true

pytestmark = pytest.mark.django_db(transaction=True)
# Decodes a photo when the test lets it.
SLOW_PHOTO = """
const decode = window.createImageBitmap;
window.createImageBitmap = async (...values) => {
  await new Promise((resolve) => (window.decoded = resolve));
  return decode(...values);
};
"""
NO_DISK = """
IDBFactory.prototype.open = () => {
  throw new DOMException("The disk is broken.", "UnknownError");
};
"""
FULL_DISK = """
for (const name of ["add", "put"]) IDBObjectStore.prototype[name] = function () {
  this.transaction.abort();
};
"""
# What a second tap of the same finger hits.
HURRY = """() => document.querySelector("#proof").addEventListener("close", () => {
  document.querySelector("#next .go").click();
  document.querySelector("#others .stop").click();
})"""


@pytest.mark.long
async def test_a_photo_is_waited_for_and_can_be_removed(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver, "arriving")
    await phone.page.add_init_script(SLOW_PHOTO)
    await phone.open()
    proof, preview = phone.page.locator("#proof"), phone.page.locator("[data-preview]")
    await phone.go()
    await phone.page.evaluate(PHOTO)
    await proof.locator("[data-cancel]").click()
    await phone.go()
    await phone.page.evaluate("window.decoded()")
    await phone.page.evaluate(PHOTO)
    assert await preview.is_hidden()
    await phone.page.evaluate("window.decoded()")
    await preview.wait_for()
    await proof.locator("[data-no-photo]").click()
    assert await preview.is_hidden()
    await phone.page.evaluate(PHOTO)
    await until(phone.page, RESTED)
    await proof.locator("[type=submit]").click()
    await phone.page.evaluate("window.decoded()")
    await proof.wait_for(state="hidden")
    await phone.server_has(order, "delivered")
    assert await make(lambda: [image.kind for image in ProofImage.objects.all()])() == ["photo"]


async def test_what_was_typed_outlives_a_page_that_the_telephone_closed(phone: Phone, driver: Driver) -> None:
    order, next_one = [await make(make_stop)(driver, "arriving", quantity=2) for _ in "12"]
    await phone.open()
    await phone.go()
    proof = phone.page.locator("#proof")
    await proof.get_by_role("button", name="One less").click()
    await proof.locator("#proof-serial").fill("CYL-1")
    await proof.locator("[data-add]").click()
    await proof.locator("#proof-amount").fill("750")
    await phone.page.reload()
    await phone.live()
    await phone.go()
    await phone.shows("#proof [data-serials]", "CYL-1")
    await phone.confirm()
    await phone.server_has(order, "delivered")
    confirmation, item = await make(order.confirmations.get)(), await make(order.items.get)()
    assert (confirmation.cylinder_serials, item.quantity_delivered) == (["CYL-1"], 1)
    assert (await fresh(order)).amount_collected == 750
    await phone.shows("#next h2", next_one.customer.name)
    await phone.go()
    assert await proof.locator("[data-serials] li").count() == 0
    assert await proof.locator("#proof-amount").input_value() == str(next_one.amount_due)


@pytest.mark.long
async def test_an_image_that_does_not_get_through_keeps_nothing_back(phone: Phone, driver: Driver) -> None:
    first, second = await make(make_stop)(driver), await make(make_stop)(driver)
    await phone.page.context.route("**/proof-images/", lambda route: route.abort())
    await phone.open()
    await phone.deliver("CYL-1")
    await phone.go("delivering")
    await until_true(lambda: Order.objects.filter(pk=second.pk, status=Status.DELIVERING).exists())
    await until(phone.page, "document.querySelectorAll('#waiting li').length === 1")
    await phone.page.context.unroute("**/proof-images/")
    await phone.server_has(first, "delivered")
    assert await make(ProofImage.objects.filter(order=first).count)() == 1


async def test_a_second_tap_on_the_confirmation_does_nothing_to_the_next_stop(phone: Phone, driver: Driver) -> None:
    first = await make(make_stop)(driver, "arriving", stop_sequence=1)
    second, _ = [await make(make_stop)(driver, stop_sequence=number) for number in (2, 3)]
    await phone.open()
    await phone.page.evaluate(HURRY)
    await phone.go()
    await phone.confirm()
    await phone.server_has(first, "delivered")
    await phone.shows("#next h2", second.customer.name)
    assert await phone.page.locator("#next [data-status=assigned]").count() == 1
    assert await phone.page.evaluate("document.activeElement.matches('.stop-card')")


async def test_of_a_delivery_that_the_office_was_faster_with_nothing_is_lost(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    await phone.page.context.set_offline(True)
    await phone.deliver("CYL-1")
    for status in (Status.DELIVERING, Status.ARRIVING, Status.DELIVERED):
        await make(order.transition_to)(status)
    await phone.page.context.set_offline(False)
    notice = phone.page.locator("#refused .notice")
    await notice.wait_for()
    told = await notice.inner_text()
    assert "NT$800" in told
    assert "CYL-1" in told
    await phone.server_has(order, "delivered")
    assert await make(ProofImage.objects.filter(order=order).count)() == 1


@pytest.mark.long
@pytest.mark.parametrize("trouble", [NO_DISK, FULL_DISK])
async def test_a_telephone_that_keeps_nothing_works_with_a_line(phone: Phone, driver: Driver, trouble: str) -> None:
    order = await make(make_stop)(driver)
    await phone.page.add_init_script(trouble)
    await phone.open()
    await phone.page.locator("#unkept").wait_for()
    await phone.go("delivering")
    await phone.server_has(order, "delivering")
    await phone.page.context.set_offline(True)
    await phone.go()
    await phone.shows("notification-toasts", "nothing was reported")
    assert await phone.page.locator("#waiting").is_hidden()
    assert (await fresh(order)).status == Status.DELIVERING


@pytest.mark.long
async def test_stops_are_delivered_over_plain_http_in_a_lan(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.page.add_init_script(INSECURE)
    await phone.open()
    await phone.deliver("CYL-1")
    await phone.server_has(order, "delivered")
