"""REST on PostgreSQL: one status change, a bulk update of 1,000 orders, a page of 100,000; compared with peers."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

from django.contrib.auth.models import User
from django.db import connection

from bench import product, stock
from bench.callers import Caller, WrongResponse
from bench.context import Bench
from bench.processes import Pinned
from bench.scenarios.storm import count_statements, statements
from bench.targets import FASTAPI_ORDERS, PRODUCT, product_command, uvicorn
from orders.models import Order
from orders.states import OrderStatus

ORDERS, CPU = "/api/v1/orders/", "CPU per request"
CHANGE, BULK, LIST = "status over REST", "bulk update", "page of orders"
WITHOUT_SMS, BARE = f"{PRODUCT}, SMS left pending", "a bare DRF PATCH of one column"
ROUNDS = 3
Call = Callable[[], object]
WARM_UP = 30


def run(bench: Bench) -> None:
    _status(bench)
    _bulk(bench)
    _list(bench)


@contextmanager
def _serving(command: Callable[[Pinned], list[str]]) -> Iterator[tuple[Pinned, Caller]]:
    """Starts the server; yields it and a caller with an office token."""
    server = Pinned(command, {"SECRET_KEY": "bench" * 10})
    try:
        server.start()
        caller = Caller(server.port, product.token(User.objects.get(username="office0")))
        yield server, caller
        caller.close()
    finally:
        server.stop()
        connection.close()


def _without_sms(bench: Bench) -> Callable[[Pinned], list[str]]:
    command: Callable[[Pinned], list[str]] = product_command(bench.protocol, "bench.sms_pending:application")
    return command


def _cpu(server: Pinned, calls: list[Call]) -> float:
    """CPU time per call in ms: the median of ROUNDS rounds, after WARM_UP calls."""
    for call in calls[:WARM_UP]:
        call()
    rounds, size = [], (len(calls) - WARM_UP) // ROUNDS
    for at in range(WARM_UP, WARM_UP + size * ROUNDS, size):
        cpu = server.cpu_seconds()
        for call in calls[at : at + size]:
            call()
        rounds.append((server.cpu_seconds() - cpu) / size * 1000)
    return median(rounds)


def _status(bench: Bench) -> None:
    """Confirms orders: with SMS, with SMS left pending, and by a bare DRF view, which only updates the column."""
    ours = ORDERS + "{}/status/"
    peer = uvicorn("bench.peers.bare_drf:application", "--lifespan", "off")
    for name, command, path in (
        (WITHOUT_SMS, _without_sms(bench), ours), (PRODUCT, product_command(bench.protocol), ours),
        (BARE, peer, "/orders/{}/"),
    ):  # fmt: skip
        paths = [path.format(order.pk) for order in stock.orders(bench.size.rest_changes + WARM_UP)]
        with _serving(command) as (server, caller):
            calls: list[Call] = [
                partial(caller.call, "PATCH", each, {"status": OrderStatus.CONFIRMED}) for each in paths
            ]
            bench.add(CHANGE, name, CPU, _cpu(server, calls), "ms")


def _bulk(bench: Bench) -> None:
    size = bench.size.bulk_orders
    with _serving(_without_sms(bench)) as (_, caller):
        _confirm(caller, 10)  # warms up
        bench.add(BULK, PRODUCT, "without SMS", _confirm(caller, size), "s", f"{size} orders")
        count_statements(on=True)
        first = statements(bench)
        _confirm(caller, size)
        bench.add(BULK, PRODUCT, "queries per order", (statements(bench) - first) / size, "")
        count_statements(on=False)
    with _serving(product_command(bench.protocol)) as (_, caller):
        _confirm(caller, 10)
        bench.add(BULK, PRODUCT, "with SMS, at most 5 s", _confirm(caller, size), "s")


def _confirm(caller: Caller, count: int) -> float:
    ids = [order.pk for order in stock.orders(count)]
    start = time.monotonic()
    response = json.loads(caller.call("POST", f"{ORDERS}bulk-update/", {"ids": ids, "status": OrderStatus.CONFIRMED}))
    if len(response["updated"]) != count:
        raise WrongResponse(f"{len(response['failed'])} of {count} orders were refused: {response['failed'][:1]}")
    return time.monotonic() - start


def _list(bench: Bench) -> None:
    stock.orders(max(0, bench.size.listed_orders - Order.objects.count()), OrderStatus.ASSIGNED)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    peer = [sys.executable, "-m", "uvicorn", "bench.peers.fastapi_orders:app", "--no-access-log", "--port"]
    responses = []
    for name, command, path in (
        (PRODUCT, product_command(bench.protocol), ORDERS),
        (FASTAPI_ORDERS, lambda server: [*peer, str(server.port)], "/orders/"),
    ):
        with _serving(command) as (server, caller):
            response = json.loads(caller.call("GET", path))
            responses.append((response["count"], response["results"]))
            calls: list[Call] = [partial(caller.call, "GET", path)] * (bench.size.list_reads + WARM_UP)
            bench.add(LIST, name, CPU, _cpu(server, calls), "ms", f"50 of {Order.objects.count():,}")
            count_statements(on=True)
            first = statements(bench)
            caller.call("GET", path)
            bench.add(LIST, name, "queries", statements(bench) - first, "")
            count_statements(on=False)
    if responses[0] != responses[1]:
        raise WrongResponse("The peer's JSON is not the same.")
