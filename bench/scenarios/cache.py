"""Measures what the cache saves on a working day: mixed reads and changes, with and without the cache."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient
from waffle.models import Switch

from bench import product
from bench.context import Bench
from catalogue.models import Product
from customers.models import Customer
from dispatch.models import Driver
from orders.models import Order, OrderItem, OrderStatusChange
from orders.states import OrderStatus
from realtime import log
from web import flags, system_metrics

# The load of 100 seconds of a working day: 300 orders in ten hours with six changes each, and five screens that load
# the statistics of the last 30 days every 30 s.
DAY = {"change": 5.0, "orders/statistics/": 16.7}
PATH = (
    OrderStatus.CONFIRMED,
    OrderStatus.ASSIGNED,
    OrderStatus.DELIVERING,
    OrderStatus.ARRIVING,
    OrderStatus.DELIVERED,
)


def run(bench: Bench) -> None:
    insert_past_orders(bench.size.cache_orders)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {product.token(User.objects.get(username='office0'))}")
    for view in (name for name in DAY if name != "change"):
        measure(bench, client, view)


def insert_past_orders(count: int) -> None:
    """Inserts `count` delivered orders of the last 30 days."""
    customer, driver, cylinder = Customer.objects.earliest("pk"), Driver.objects.get(), Product.objects.get()
    today, now = timezone.localdate(), timezone.now()
    rows = Order.objects.unannounced().bulk_create(
        Order(
            customer=customer, driver=driver, status=OrderStatus.DELIVERED, order_number=f"9{number:08}",
            scheduled_date=today - timedelta(days=number % 30), delivery_address="臺中市西區民生路 1 號",
        )
        for number in range(count)
    )  # fmt: skip
    OrderItem.objects.bulk_create(OrderItem(order=row, product=cylinder, quantity=1, unit_price=800) for row in rows)
    OrderStatusChange.objects.bulk_create(
        OrderStatusChange(order=row, to_status=status, at=now, version=1)
        for row in rows
        for status in (OrderStatus.CONFIRMED, OrderStatus.DELIVERED)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def change_steps() -> Iterator[Callable[[], object]]:
    """Yields the steps that create orders of today and move them to delivered, thirty orders at a time."""
    customer, driver, cylinder = Customer.objects.earliest("pk"), Driver.objects.get(), Product.objects.get()
    under_way: list[Iterator[Callable[[], object]]] = []

    def steps_of_order() -> Iterator[Callable[[], object]]:
        order = Order(customer=customer, scheduled_date=timezone.localdate(), amount_due=800)
        yield order.save
        OrderItem.objects.create(order=order, product=cylinder, quantity=1)
        for status in PATH:
            extra: dict[str, Any] = {"driver": driver} if status == OrderStatus.ASSIGNED else {}
            yield partial(order.transition_to, status, **extra)

    while True:
        while len(under_way) < 30:
            under_way.append(steps_of_order())
        steps = random.choice(under_way)
        if (step := next(steps, None)) is None:
            under_way.remove(steps)
        else:
            yield step


def measure(bench: Bench, client: APIClient, view: str) -> None:
    """Runs the same day with and without the cache, twice each: once for the queries, once for the time."""
    totals: defaultdict[bool, Counter[str]] = defaultdict(Counter)
    hits: Counter[str] = Counter()
    for counting in (True, False):
        for cached in (False, True):
            Switch.objects.update_or_create(name=flags.CACHING, defaults={"active": cached})
            before = cache_lookups(view)
            totals[cached].update(run_day(client, view, bench.size.cache_reads, counting))
            if cached:
                hits.update(cache_lookups(view) - before)
    off, on = totals[False], totals[True]
    note = f"{off['queries'] / off['counted']:.1f} queries and {off['ms'] / off['timed']:.1f} ms without"
    bench.add("cache", view, "hit rate", 100 * hits["hits"] / max(hits.total(), 1), "%", note)
    for name in ("queries", "ms"):
        saved = 100 * (1 - on[name] / off[name])
        bench.add("cache", view, {"queries": "queries saved", "ms": "time saved"}[name], saved, "%")


def cache_lookups(view: str) -> Counter[str]:
    """The hits and misses of this view so far."""
    kind, counts = view.strip("/").split("/")[-1], system_metrics.current_counts()
    return Counter(
        {result: int(counts.get(f"luckygas_cache_{result}_total {kind}", 0)) for result in ("hits", "misses")}
    )


def run_day(client: APIClient, view: str, reads: int, counting: bool) -> Counter[str]:
    """Reads this view `reads` times, with changes of orders in between.

    With `counting`, returns the number of reads (`counted`) and of their queries (`queries`). Otherwise returns the
    number of reads (`timed`) and their total time in milliseconds (`ms`).
    """
    total: Counter[str] = Counter()
    dice, change = random.Random(7), change_steps()
    while total["counted" if counting else "timed"] < reads:
        if dice.random() * (DAY["change"] + DAY[view]) < DAY["change"]:
            next(change)()
            log.assign_event_ids()  # as the hub does some ms later
        elif counting:
            with CaptureQueriesContext(connection) as captured:
                read(client, view)
            total.update(counted=1, queries=len(captured))
        else:
            start = time.perf_counter()
            read(client, view)
            total.update({"timed": 1, "ms": round((time.perf_counter() - start) * 1e6)})
    total["ms"] = total["ms"] / 1000  # type: ignore[assignment]
    return total


def read(client: APIClient, view: str) -> Any:
    response = client.get(f"/api/v1/{view}", headers={"host": "127.0.0.1"})
    assert response.status_code == 200, response.content
    return response
