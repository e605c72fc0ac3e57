"""The clock of a device, which a test sets. Without the page's own timers, which go on."""

from __future__ import annotations

from playwright.async_api import Page

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
