"""The office's board in a real browser, with 300 open orders of which 10 change per second."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle
from statistics import median, quantiles
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from playwright.sync_api import Page, sync_playwright

from bench import product
from bench.context import Bench
from bench.processes import Pinned
from bench.targets import PRODUCT
from customers.models import Customer
from luckygas.testing.browser import Chromium
from orders.models import Order
from realtime import log

# The pause until the page has finished its own start.
SETTLE_SECONDS = 3
# Records when each event arrived and when each card was painted, by “id version”, in ms since 1970.
WATCH = """
window.arrived = {}; window.painted = {}; window.tasks = [];
const now = () => performance.timeOrigin + performance.now();
new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)))
  .observe({ type: "longtask", buffered: true });
window.WebSocket = class extends WebSocket {
  constructor(...parameters) {
    super(...parameters);
    this.addEventListener("message", ({ data: text }) => {
      for (const [, id, version] of text.matchAll(/"order_id":(\\d+),"order_number":"[^"]*","version":(\\d+)/g))
        arrived[`${id} ${version}`] ??= now();
    });
  }
};
document.addEventListener("DOMContentLoaded", () => new MutationObserver((changes) => {
  const nodes = changes.flatMap(({ target, addedNodes }) => [target, ...addedNodes]);
  const cards = nodes.filter(({ dataset }) => dataset?.version);
  const drawn = cards.map(({ dataset: { id, version } }) => `${id} ${version}`);
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => drawn.forEach((key) => (painted[key] ??= now()));
  port2.postMessage(null);  // received after the paint of this frame
}).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-version"] }));
"""


def run(bench: Bench) -> None:
    product.ensure_orders(bench.size.board_orders)
    Customer.objects.unannounced().update(latitude=25.03, longitude=121.54)  # so that the map shows the orders
    log.assign_event_ids()
    browser = Chromium()
    try:
        browser.start()
        with bench.product() as server, ThreadPoolExecutor(1) as worker, sync_playwright() as playwright:
            page = playwright.chromium.connect_over_cdp(browser.url).new_context().new_page()
            cookie = worker.submit(_session).result()
            page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": f"http://127.0.0.1:{server.port}"}])
            _measure(bench, server, page, worker)
    finally:
        browser.stop()


def _session() -> str:
    client = Client()
    client.force_login(User.objects.get(username="office0"))
    connection.close()
    return client.cookies["sessionid"].value


def _measure(bench: Bench, server: Pinned, page: Page, worker: ThreadPoolExecutor) -> None:
    size = bench.size
    page.goto(f"http://127.0.0.1:{server.port}/accounts/password/change/")  # the first page of a new server is slow
    page.add_init_script(WATCH)
    page.goto(f"http://127.0.0.1:{server.port}/?day=all")
    while page.evaluate("Object.keys(painted).length") < size.board_orders:
        time.sleep(0.1)
    filled = page.evaluate("Math.max(...Object.values(painted)) - performance.timeOrigin")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    time.sleep(SETTLE_SECONDS)
    page.evaluate("tasks.length = 0")
    changes: Future[dict[str, float]] = worker.submit(
        _change, int(size.board_seconds * size.board_rate), size.board_rate
    )
    changed_at = changes.result()
    page.wait_for_timeout(1000)
    _add_figures(bench, changed_at, *page.evaluate("[arrived, painted, tasks]"))
    bench.add("board", PRODUCT, "first paint", paint, "ms")
    bench.add("board", PRODUCT, "all cards painted", filled, "ms")


def _change(count: int, rate: int) -> dict[str, float]:
    """Changes `count` orders. Returns when each change began, by “id version”, in ms since 1970."""
    times: dict[str, float] = {}
    orders = cycle(Order.objects.order_by("pk"))
    due = time.monotonic()
    for _ in range(count):
        order, now = next(orders), time.time() * 1000
        product.move(order)
        times[f"{order.pk} {order.version}"] = now
        due += 1 / rate
        time.sleep(max(0.0, due - time.monotonic()))
    connection.close()
    return times


def _add_figures(
    bench: Bench,
    changed_at: dict[str, float],
    arrived_at: dict[str, float],
    painted_at: dict[str, float],
    tasks: list[Any],
) -> None:
    seen = [key for key in changed_at if key in painted_at]
    note = "" if len(seen) == len(changed_at) else f"{len(changed_at) - len(seen)} of {len(changed_at)} not painted"
    for name, times in (("change", changed_at), ("event", arrived_at)):
        delays = [painted_at[key] - times[key] for key in seen]
        bench.add("board", PRODUCT, f"{name} → paint p50", median(delays), "ms", note)
        bench.add("board", PRODUCT, f"{name} → paint p95", _p95(delays), "ms")
    over = [task for task in tasks if task > 50]
    bench.add("board", PRODUCT, "tasks over 50 ms", len(over), "", f"longest {max(over):.0f} ms" if over else "")


def _p95(delays: Sequence[float]) -> float:
    return quantiles(delays, n=20)[-1]
