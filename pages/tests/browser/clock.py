"""The clocks of a device and of the server, which a test sets. Without the page's own timers, which go on."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

from django.utils import timezone
from playwright.async_api import Page, Route, WebSocketRoute

DAY_MS = 86_400_000
DEVICE = """(() => {
  const [real, isSet] = [Date, "deviceOff" in globalThis];
  globalThis.deviceOff = %d;
  if (isSet) return;
  globalThis.Date = class extends real {
    constructor(...said) { super(...(said.length ? said : [real.now() + globalThis.deviceOff])); }
    static now() { return real.now() + globalThis.deviceOff; }
  };
})();"""


async def give_clock(page: Page, milliseconds: int) -> None:
    """All pages that are opened from now on have a clock that is off by so much."""
    await page.add_init_script(DEVICE % milliseconds)


async def set_clock(page: Page, milliseconds: int) -> None:
    """Somebody sets the clock of the device while the page is open."""
    await page.evaluate("(off) => { globalThis.deviceOff = off; }", milliseconds)


class ServerClock:
    """The server's clock as the page hears it: by answers, by frames, and at once when it is set."""

    def __init__(self, page: Page) -> None:
        self.page, self.ahead = page, timedelta()

    async def start(self) -> None:
        """Before the page is opened: what is on its way when the clock is set tells the new time too."""
        await self.page.route(re.compile("/api/v1/|/health/live"), self._answer)
        await self.page.route_web_socket("**", self._join)

    async def set(self, moment: datetime) -> None:
        self.ahead = moment - timezone.now()
        set_time = "(at) => import('/static/web/server-clock.js').then((clock) => clock.setServerTime(at, 0))"
        await self.page.evaluate(set_time, moment.timestamp() * 1000)

    async def _answer(self, route: Route) -> None:
        answer = await route.fetch()
        told = int(answer.headers["x-server-time"]) + round(self.ahead.total_seconds() * 1000)
        await route.fulfill(response=answer, headers=answer.headers | {"x-server-time": str(told)})

    def _join(self, link: WebSocketRoute) -> None:
        link.connect_to_server().on_message(lambda text: link.send(self._frame(str(text))))

    def _frame(self, text: str) -> str:
        frame = json.loads(text)
        if frame.get("type") not in ("connection", "heartbeat"):
            return text
        return json.dumps(frame | {"timestamp": (datetime.fromisoformat(frame["timestamp"]) + self.ahead).isoformat()})
