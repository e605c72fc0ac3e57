"""A page object for the driver's page on a phone."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.utils import timezone
from playwright.async_api import Page, Route, WebSocketRoute

from dispatch.models import Driver
from luckygas.testing.browser import sign_in, until
from luckygas.testing.site import Site
from luckygas.testing.waiting import PATIENCE_SECONDS
from orders.models import Order, OrderStatusChange
from orders.tests.factories import make_order

CONTROLLED = "navigator.serviceWorker.ready.then(() => Boolean(navigator.serviceWorker.controller))"
LIVE = "document.querySelector('connection-status')?.dataset.state === 'live'"
# Chooses a photo in the form, as the camera would.
TAKE_PHOTO = """async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 3000, height: 2000 });
  canvas.getContext("2d").fillRect(0, 0, 2000, 2000);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg"));
  const files = new DataTransfer();
  files.items.add(new File([blob], "IMG_1.jpg", { type: "image/jpeg" }));
  const input = document.querySelector("#proof-photo");
  input.files = files.files;
  input.dispatchEvent(new Event("change"));
}"""
# Shifts the device's clock by a number of milliseconds, which must be given twice.
WRONG_CLOCK = """
const Real = Date;
window.Date = class extends Real {
  constructor(...values) {
    if (values.length) super(...values);
    else super(Real.now() + %d);
  }
  static now() {
    return Real.now() + %d;
  }
};
"""
# Records when the last click was made or the last dialog closed. Clicks of a test wait for CAN_CLICK, because the page
# ignores quick ones as double taps.
RECORD_CLICKS = """
for (const type of ["click", "close"]) addEventListener(type, () => (window.pressedAt = performance.now()), true);
"""
# Whether the next click does not count as the second of a double tap.
CAN_CLICK = "performance.now() - (window.pressedAt ?? -1000) > 620"


def make_stop(driver: Driver, status: str = "assigned", **fields: Any) -> Order:
    """Creates an order of today for this driver."""
    order = make_order(status, driver=driver, scheduled_date=timezone.localdate(), **fields)
    return Order.objects.select_related("customer").get(pk=order.pk)


class Phone:
    def __init__(self, page: Page, site: Site, driver: Driver) -> None:
        self.page, self.site, self.driver = page, site, driver

    async def open(self) -> None:
        await self.page.set_viewport_size({"width": 390, "height": 844})
        await self.page.add_init_script(RECORD_CLICKS)
        # English, so that tests do not depend on translations.
        await self.page.context.add_cookies([{"name": "django_language", "value": "en", "url": self.site.url}])
        await sign_in(self.page, self.site, self.driver.user, "/driver/")
        await self.wait_until_live()

    async def wait_until_live(self) -> None:
        await until(self.page, LIVE)

    async def wait_until_installed(self) -> None:
        """Waits until the service worker has cached everything and controls the page."""
        await until(self.page, CONTROLLED)

    async def text(self, selector: str) -> str:
        return await self.page.locator(selector).inner_text()

    async def wait_for_text(self, selector: str, text: str) -> None:
        """Waits until an element of this selector contains the text."""
        await self.page.locator(selector, has_text=text).first.wait_for()

    async def count_waiting(self) -> int:
        """The number of waiting reports that the page shows."""
        return await self.page.locator("#waiting li").count()

    async def press(self, move: str, then: str = "") -> None:
        """Presses “back”, “failed” or onward ("") of the next stop. Waits for the status `then`, if given."""
        await until(self.page, CAN_CLICK)
        await self.page.locator(f'#next [data-move="{move}"]').click()
        if then:
            await self.page.locator(f"#next [data-status={then}]").wait_for()

    async def go(self, then: str = "") -> None:
        await self.press("", then)

    async def choose(self) -> None:
        """Chooses the first of the other stops."""
        await until(self.page, CAN_CLICK)
        await self.page.locator("#others .stop").first.click()

    async def sign(self) -> None:
        await self.page.locator("#proof .sign summary").click()
        box = await self.page.locator("#proof canvas").bounding_box()
        assert box is not None
        await self.page.mouse.move(box["x"] + 20, box["y"] + 20)
        await self.page.mouse.down()
        await self.page.mouse.move(box["x"] + 120, box["y"] + 60, steps=4)
        await self.page.mouse.up()

    async def deliver(self, serial: str) -> None:
        """Delivers the next stop, which must be assigned, with a serial number and a signature."""
        await self.go("delivering")
        await self.go("arriving")
        await self.go()
        await self.page.locator("#proof-serial").fill(serial)
        await self.sign()
        await self.confirm()

    async def confirm(self) -> None:
        await until(self.page, CAN_CLICK)
        await self.page.locator("#proof [type=submit]").click()
        await self.page.locator("#proof").wait_for(state="hidden")

    async def wait_for_server(self, order: Order, status: str) -> None:
        """Waits until the order has this status on the server, and no report waits on the phone."""
        await wait_until_true(lambda: Order.objects.filter(pk=order.pk, status=status).exists())
        await self.page.locator("#waiting").wait_for(state="hidden")


async def wait_until_true(is_true: Callable[[], bool]) -> None:
    """Calls `is_true`, which may query the database, until it returns true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await sync_to_async(is_true)():
            await asyncio.sleep(0.05)


@sync_to_async
def driver_reports(order: Order) -> list[OrderStatusChange]:
    """The status changes of an order that its driver reported."""
    return list(order.history.filter(by=order.driver.user if order.driver else None))


@sync_to_async
def reload_order(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


# These set the clocks of the device and the server. They do not affect the page's timers.


DAY_MS = 86_400_000
DEVICE = """(() => {
  const [real, isSet] = [Date, "deviceOff" in globalThis];
  globalThis.deviceOff = %d;
  if (isSet) return;
  globalThis.Date = class extends real {
    constructor(...values) { super(...(values.length ? values : [real.now() + globalThis.deviceOff])); }
    static now() { return real.now() + globalThis.deviceOff; }
  };
})();"""


async def shift_clock(page: Page, milliseconds: int) -> None:
    """Shifts the device's clock in all documents that the page loads from now on."""
    await page.add_init_script(DEVICE % milliseconds)


async def set_clock(page: Page, milliseconds: int) -> None:
    """Changes the shift of the device's clock in the open document. Needs `shift_clock` before the document loads."""
    await page.evaluate("(off) => { globalThis.deviceOff = off; }", milliseconds)


class ServerClock:
    """Shifts the server's time in responses and frames. `set` also sets it in the open page at once."""

    def __init__(self, page: Page) -> None:
        self.page, self.ahead = page, timedelta()

    async def start(self) -> None:
        """Intercepts responses and sockets. Call it before the page opens, so that it misses no response under way."""
        await self.page.route(re.compile("/api/v1/|/health/live"), self._shift_response)
        await self.page.route_web_socket("**", self._join)

    async def set(self, moment: datetime) -> None:
        self.ahead = moment - timezone.now()
        set_time = "(at) => import('/static/web/server-clock.js').then((clock) => clock.setServerTime(at, 0))"
        await self.page.evaluate(set_time, moment.timestamp() * 1000)

    async def _shift_response(self, route: Route) -> None:
        response = await route.fetch()
        server_time = int(response.headers["x-server-time"]) + round(self.ahead.total_seconds() * 1000)
        await route.fulfill(response=response, headers=response.headers | {"x-server-time": str(server_time)})

    def _join(self, socket: WebSocketRoute) -> None:
        socket.connect_to_server().on_message(lambda text: socket.send(self._shift_frame(str(text))))

    def _shift_frame(self, text: str) -> str:
        frame = json.loads(text)
        if frame.get("type") not in ("connection", "heartbeat"):
            return text
        return json.dumps(frame | {"timestamp": (datetime.fromisoformat(frame["timestamp"]) + self.ahead).isoformat()})
