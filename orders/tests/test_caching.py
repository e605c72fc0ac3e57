"""Kept answers, on a real Redis and with real commits: never stale, never another's, whoever dies when."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from luckygas import caches
from luckygas.testing.servers import Redis, running
from luckygas.testing.site import ROOT, environment
from orders import caching, flags
from orders.flags import Seen
from orders.models import Driver, Order, Product
from orders.states import Status
from orders.tests.api.client import Api, make_api
from orders.tests.factories import TODAY, make_driver, make_office, make_order, make_product
from orders.tests.threads import in_thread
from realtime import log

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]
PERIOD = {"from": str(TODAY), "to": str(TODAY)}


@pytest.fixture
def office() -> Api:
    return make_api("office")


def statistics(api: Api) -> Any:
    return api.get("orders/statistics/", **PERIOD).json()


def products(api: Api, **query: Any) -> Any:
    return api.get("products/", **query).json()["results"]


def queries(work: Any) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def settled(work: Any) -> None:
    """The change, numbered as a hub does."""
    work()
    log.number()


@pytest.mark.parametrize("read", [statistics, products])
def test_the_second_answer_is_the_first_one_without_its_queries(office: Api, read: Any) -> None:
    settled(lambda: make_order(Status.DELIVERED))
    whole = queries(lambda: read(office))
    answers = [read(office), read(office)]
    assert (answers[0], queries(lambda: read(office))) == (answers[1], 2)
    assert whole >= 4


@pytest.mark.parametrize("numbered", [True, False])
def test_a_change_is_seen_at_once_whether_it_is_numbered_or_not(office: Api, numbered: bool) -> None:
    order = make_order(Status.ASSIGNED, driver=make_driver(name="舊"), product=make_product(name="舊桶"))
    log.number()

    def renamed(row: Driver | Product, name: str) -> Any:
        row.name = name
        row.save()
        if numbered:
            log.number()
        return statistics(office)

    told = [
        statistics(office), statistics(office),
        renamed(Driver.objects.get(), "新"), renamed(Product.objects.get(), "新桶"),
    ]  # fmt: skip
    assert [answer["by_driver"][0]["name"] for answer in told] == ["舊", "舊", "新", "新"]
    assert [answer["by_product"][0]["name"] for answer in told] == ["舊桶", "舊桶", "舊桶", "新桶"]
    Order.objects.get(pk=order.pk).transition_to(Status.DELIVERING)
    if numbered:
        log.number()
    assert statistics(office)["by_status"]["delivering"] == 1
    office.patch(f"orders/{order.pk}/", {"items": [{"product": Product.objects.get().pk, "quantity": 3}]})
    if numbered:
        log.number()
    assert statistics(office)["by_product"][0]["ordered"] == 3


def test_nobody_gets_anothers_answer(office: Api) -> None:
    settled(lambda: (make_product(), make_product(is_active=False), make_order()))
    customer = make_api("customer")
    log.number()
    assert "stock" in products(office)[0]
    (row, *others) = products(customer)
    assert ("stock" in row, len(products(office)) - len(others) - 1) == (False, 1)
    assert len(products(office, is_active="false")) == 1
    assert customer.get("orders/statistics/", **PERIOD).status_code == 403
    whole = [office.client.get("/api/v1/products/?page_size=1", headers={"host": host}).json() for host in HOSTS]
    assert [answer["next"].split("/")[2] for answer in whole] == HOSTS


HOSTS = ["127.0.0.1", "localhost"]


def test_the_header_is_of_now_and_not_of_then(office: Api) -> None:
    settled(make_product)
    first = office.get("products/")
    settled(make_order)
    office.get("products/")
    settled(lambda: Order.objects.get().transition_to(Status.CONFIRMED))
    last = office.get("products/")
    assert int(last["Last-Event-Id"]) == log.head().seq > int(first["Last-Event-Id"])


def test_a_reader_that_writes_late_writes_where_nobody_looks(office: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    product = make_product(stock=1)
    log.number()
    read, go_on = threading.Event(), threading.Event()
    shared = caching.shared_cache()
    assert shared is not None
    write = type(shared).set

    def late(*args: Any, **kwargs: Any) -> None:
        read.set()
        assert go_on.wait(10)
        write(*args, **kwargs)

    monkeypatch.setattr(type(shared), "set", late)
    reader = in_thread(lambda: products(office))
    assert read.wait(10)
    monkeypatch.undo()
    settled(lambda: Product.add_stock(product.pk, 1))
    go_on.set()
    reader.join()
    assert [products(make_api("office"))[0]["stock"] for _ in range(2)] == [2, 2]


def test_readers_among_writers_and_a_numberer_never_see_the_past() -> None:
    product, user = make_product(stock=0), make_office()
    committed, stop, seen = [0], threading.Event(), []

    def write() -> None:
        for count in range(1, 41):
            Product.add_stock(product.pk, 1)
            committed[0] = count

    def number() -> None:
        while not stop.is_set():
            log.number()
            time.sleep(0.002)

    def look() -> None:
        api = Api(user)
        while not stop.is_set():
            least = committed[0]
            stock = products(api)[0]["stock"]
            seen.append(stock)
            assert stock >= least

    others = [in_thread(number), *(in_thread(look) for _ in range(3))]
    writers = [in_thread(write)]
    try:
        for writer in writers:
            writer.join()
    finally:
        stop.set()
    for other in others:
        other.join()
    log.number()
    assert (products(Api(user))[0]["stock"], len(seen) > 40) == (40, True)


KILLED = """
import os, signal, django
django.setup()
from django.db import transaction
from orders.models import Product
with transaction.atomic():
    transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))
    Product.add_stock({pk}, 5)
"""


def test_who_is_killed_right_after_the_commit_leaves_nothing_stale(office: Api) -> None:
    product = make_product(stock=1)
    log.number()
    assert products(office)[0]["stock"] == 1
    code = KILLED.format(pk=product.pk)
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=child_environment(), check=False, timeout=30)
    assert child.returncode == -signal.SIGKILL
    assert products(office)[0]["stock"] == 6
    log.number()
    assert products(office)[0]["stock"] == 6


def child_environment() -> dict[str, str]:
    return environment(DJANGO_SETTINGS_MODULE="luckygas.settings")


def test_a_change_that_is_rolled_back_changes_nothing(office: Api) -> None:
    product = make_product(stock=1)
    log.number()
    products(office)
    with transaction.atomic():
        Product.add_stock(product.pk, 1)
        transaction.set_rollback(True)
    assert queries(lambda: products(office)) == 2


def test_switched_off_nothing_is_kept(office: Api) -> None:
    settled(make_product)
    products(office)
    flags._seen = Seen(at=float("inf"), off=frozenset({flags.CACHING}))
    assert queries(lambda: products(office)) > 2


def test_another_epoch_knows_nothing_of_the_answers_of_this_one(office: Api) -> None:
    """A backup that was restored counts the same changes again, and they are others."""
    product = make_product(stock=1)
    log.number()
    products(office)
    log.begin_epoch(log.head())
    Product.objects.filter(pk=product.pk).update(stock=7)
    assert products(office)[0]["stock"] == 7


@pytest.fixture
def own_redis(settings: Any) -> Iterator[Redis]:
    with running(Redis()) as redis:
        settings.CACHES = caches.caches(redis.url)
        yield redis


def seconds(work: Any) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def test_redis_may_die_freeze_and_come_back(office: Api, own_redis: Redis) -> None:
    product = make_product(stock=1)
    log.number()
    assert products(office) == products(office)
    for harm, mend in ((kill, own_redis.start), (stop, lambda: own_redis.send(signal.SIGCONT))):
        usual = seconds(lambda: products(office))
        harm(own_redis)
        assert seconds(lambda: products(office)) < 0.2 + 5 * usual + 0.1
        assert max(seconds(lambda: products(office)) for _ in range(5)) < 0.15 + 5 * usual
        settled(lambda: Product.add_stock(product.pk, 1))
        stock = Product.objects.get().stock
        assert products(office)[0]["stock"] == stock
        mend()
        deadline = time.monotonic() + 10
        while queries(lambda: products(office)) > 2:
            assert time.monotonic() < deadline, "the cache is not used again"
            time.sleep(0.1)
        assert products(office)[0]["stock"] == stock


def kill(redis: Redis) -> None:
    redis.kill()


def stop(redis: Redis) -> None:
    redis.send(signal.SIGSTOP)
