"""Redis killed, frozen, and half-open (the network drops all data), while orders change."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle

from django.db import connection

from bench import product
from bench.context import Bench
from bench.load import Load
from luckygas.testing.half_open_proxy import HalfOpenProxy
from luckygas.testing.servers import Redis
from orders.models import Order

NAME = "Lucky Gas"
RATE = 20
# To send a wake-up to a frozen Redis takes a writer one second. This many writers still change orders at RATE.
WRITERS = 32


def run(bench: Bench) -> None:
    redis = bench.redis
    _measure(bench, "killed", redis.kill, redis.start)
    freeze, thaw = lambda: redis.send(signal.SIGSTOP), lambda: redis.send(signal.SIGCONT)
    _measure(bench, "frozen", freeze, thaw)
    with _half_open_proxy(redis) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        _measure(bench, "half-open", proxy.drop_data, proxy.recover, REDIS_URL=url)


@contextmanager
def _half_open_proxy(redis: Redis) -> Iterator[HalfOpenProxy]:
    proxy = HalfOpenProxy(redis)
    try:
        proxy.start()
        yield proxy
    finally:
        proxy.stop()


def _measure(
    bench: Bench, fault: str, begin: Callable[..., object], end: Callable[[], None], **environment: str
) -> None:
    """Changes orders for `fault_seconds`. The fault lasts for the middle third of that time."""
    size, third = bench.size, bench.size.fault_seconds / 3
    with bench.product(**environment) as server, Load(server, product.paths(size.fault_sockets), "-w", "-k") as load:
        load.reset()
        with ThreadPoolExecutor(WRITERS) as writers:
            orders = cycle(Order.objects.order_by("pk"))
            changes = _change(writers, orders, third)
            begin()
            changes += _change(writers, orders, third)
            end()
            changes += _change(writers, orders, third)
        expected = changes * size.fault_sockets
        counts = load.wait(expected, quiet=5)
    note = f"of {expected:,}; {counts.duplicates} duplicates"
    bench.add(f"Redis {fault}", NAME, "deliveries lost", expected - counts.received, "", note)
    bench.add(f"Redis {fault}", NAME, "longest delay", counts.max_us / 1e6, "s", f"p50 {counts.p50_us / 1000:.1f} ms")


def _change(writers: ThreadPoolExecutor, orders: Iterator[Order], seconds: float) -> int:
    """Changes orders at RATE and returns how many."""
    for _ in range(count := int(seconds * RATE)):
        writers.submit(_move, next(orders))
        time.sleep(1 / RATE)
    return count


def _move(order: Order) -> None:
    product.move(order)
    connection.close()
