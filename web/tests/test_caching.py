"""Cached answers on a real Redis, with real commits: changes invalidate them, and a failure of Redis is a miss."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from redis import Redis as Client

from catalogue.models import Product
from dispatch.models import Driver
from luckygas import libraries
from luckygas.libraries import THROTTLE_RATES
from luckygas.testing.servers import Redis, running
from luckygas.testing.site import ROOT, environment
from luckygas.testing.waiting import wait_for
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.api.client import Api, make_api
from orders.tests.factories import TODAY, make_customer, make_driver, make_office, make_order, make_product
from orders.tests.threads import in_thread
from realtime import log
from web import caching, flags

pytestmark = pytest.mark.servers


PERIOD = {"from": str(TODAY), "to": str(TODAY)}


@pytest.fixture
def office() -> Api:
    return make_api("office")


def statistics(api: Api) -> Any:
    return api.get("orders/statistics/", **PERIOD).json()


def product_number(api: Api) -> int:
    """The number that the statistics show as the product's name (set by `make_product_1` and `write`)."""
    return int(statistics(api)["by_product"][0]["name"])


def make_product_1() -> None:
    make_order(OrderStatus.DELIVERED, product=make_product(name="1"))


def write(number: int) -> None:
    product = Product.objects.get()
    product.name = str(number)
    product.save()


# The queries of an answer from the cache: the account with its role, and the head of the event log.
CACHED_QUERIES = 2


def queries(work: Any) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


@pytest.mark.django_db(transaction=True)
def test_second_request_is_answered_from_the_cache_with_few_queries(office: Api) -> None:
    make_product_1()
    first, whole = statistics(office), queries(lambda: statistics(make_api("office")))
    assert (statistics(office), queries(lambda: statistics(office))) == (first, CACHED_QUERIES)
    assert whole > CACHED_QUERIES


@pytest.mark.django_db(transaction=True)
def test_change_invalidates_the_cached_answer_at_once(office: Api) -> None:
    order = make_order(OrderStatus.ASSIGNED, driver=make_driver(name="舊"), product=make_product(name="舊桶"))

    def rename(row: Driver | Product, name: str) -> Any:
        row.name = name
        row.save()
        return statistics(office)

    answers = [
        statistics(office), statistics(office),
        rename(Driver.objects.get(), "新"), rename(Product.objects.get(), "新桶"),
    ]  # fmt: skip
    assert [answer["by_driver"][0]["name"] for answer in answers] == ["舊", "舊", "新", "新"]
    assert [answer["by_product"][0]["name"] for answer in answers] == ["舊桶", "舊桶", "舊桶", "新桶"]
    Order.objects.get(pk=order.pk).transition_to(OrderStatus.DELIVERING)
    assert statistics(office)["by_status"]["delivering"] == 1
    office.patch(f"orders/{order.pk}/", {"items": [{"product": Product.objects.get().pk, "quantity": 3}]})
    assert statistics(office)["by_product"][0]["ordered"] == 3


@pytest.mark.django_db(transaction=True)
def test_cached_answer_is_only_used_for_the_same_role_and_parameters(office: Api) -> None:
    make_product_1()
    statistics(office)
    assert make_api("customer").get("orders/statistics/", **PERIOD).status_code == 403
    other = {"from": str(TODAY - timedelta(days=9)), "to": str(TODAY - timedelta(days=1))}
    assert (office.get("orders/statistics/", **other).json()["total"], statistics(office)["total"]) == (0, 1)


@pytest.mark.django_db(transaction=True)
def test_cached_answer_has_the_current_event_id_header(office: Api) -> None:
    make_product_1()
    first = office.get("orders/statistics/")
    make_customer()  # does not change the statistics
    log.assign_event_ids()
    last = office.get("orders/statistics/")
    assert first.json() == last.json()
    assert int(last["Last-Event-Id"]) == log.head().seq > int(first["Last-Event-Id"])


@pytest.mark.django_db(transaction=True)
def test_slow_reader_does_not_overwrite_a_newer_answer(office: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    make_product_1()
    read, go_on = threading.Event(), threading.Event()
    shared = caching.shared_cache()
    assert shared is not None
    original_set = type(shared).set

    def set_late(*args: Any, **kwargs: Any) -> None:
        read.set()
        assert go_on.wait(10)
        original_set(*args, **kwargs)

    monkeypatch.setattr(type(shared), "set", set_late)
    reader = in_thread(lambda: statistics(office))
    assert read.wait(10)
    monkeypatch.undo()
    write(2)
    go_on.set()
    reader.join()
    assert [product_number(make_api("office")) for _ in range(2)] == [2, 2]


@pytest.mark.django_db(transaction=True)
def test_concurrent_readers_never_get_a_stale_answer() -> None:
    make_product_1()
    user, committed, stop, seen = make_office(), [0], threading.Event(), list[int]()

    def change() -> None:
        for count in range(1, 41):
            write(count)
            committed[0] = count

    def read() -> None:
        api = Api(user)
        while not stop.is_set():
            latest = committed[0]
            number = product_number(api)
            seen.append(number)
            assert number >= latest

    readers = [in_thread(read) for _ in range(3)]
    writers = [in_thread(change)]
    try:
        for writer in writers:
            writer.join()
    finally:
        stop.set()
    for reader in readers:
        reader.join()
    assert (product_number(Api(user)), len(seen) > 20) == (40, True)


KILLED = """
import os, signal, django
django.setup()
from django.db import transaction
from catalogue.models import Product
from luckygas.testing.waiting import wait_for
with transaction.atomic():
    transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))
    product = Product.objects.get()
    product.name = "6"
    product.save()
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.long
def test_answers_expire_within_a_minute_after_a_kill_at_the_commit(office: Api) -> None:
    make_product_1()
    assert product_number(office) == 1
    child = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, env=child_environment(), check=False, timeout=30)
    assert child.returncode == -signal.SIGKILL
    redis = Client.from_url(settings.REDIS_URL)
    keys = list(redis.scan_iter("*answer:statistics:*"))
    assert keys
    assert all(0 < redis.ttl(key) <= 60 for key in keys)
    redis.delete(*keys)
    assert product_number(office) == 6


def child_environment() -> dict[str, str]:
    return environment(DJANGO_SETTINGS_MODULE="luckygas.settings")


@pytest.mark.django_db(transaction=True)
def test_rolled_back_change_does_not_invalidate_the_cached_answer(office: Api) -> None:
    make_product_1()
    statistics(office)
    with transaction.atomic():
        write(2)
        transaction.set_rollback(True)
    assert queries(lambda: statistics(office)) == CACHED_QUERIES


@pytest.mark.django_db(transaction=True)
def test_nothing_is_cached_while_the_switch_is_off(office: Api, switch_off: Callable[..., None]) -> None:
    make_product_1()
    statistics(office)
    switch_off(flags.CACHING)
    assert queries(lambda: statistics(office)) > CACHED_QUERIES


@pytest.fixture
def own_redis(settings: Any) -> Iterator[Redis]:
    with running(Redis()) as redis:
        settings.CACHES = libraries.caches(redis.url)
        yield redis


def seconds(work: Any) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


@pytest.mark.django_db(transaction=True)
def test_requests_are_answered_while_redis_is_dead_or_frozen(
    office: Api, own_redis: Redis, rates: Callable[..., None]
) -> None:
    rates(**THROTTLE_RATES)  # throttling uses Redis before the cache does
    make_product_1()
    assert statistics(office) == statistics(office)
    for harm, mend in ((kill, own_redis.start), (stop, lambda: own_redis.send(signal.SIGCONT))):
        usual = seconds(lambda: statistics(office))
        harm(own_redis)
        # The cache gives up on Redis after a fraction of a second (`libraries.caches`).
        assert seconds(lambda: statistics(office)) < 1 + 5 * usual
        assert sum(seconds(lambda: statistics(office)) for _ in range(5)) < 1 + 25 * usual
        number = product_number(office) + 1
        write(number)
        assert product_number(office) == number
        mend()
        wait_for(lambda: queries(lambda: statistics(office)) <= CACHED_QUERIES)
        write(number + 1)
        assert product_number(office) == number + 1


@pytest.mark.django_db(transaction=True)
def test_transaction_with_many_changes_sets_one_new_version(office: Api) -> None:
    make_product_1()
    statistics(office)
    sets = int(Client.from_url(settings.REDIS_URL).info("commandstats")["cmdstat_set"]["calls"])
    with transaction.atomic():
        for number in range(5):
            write(number)
    calls = Client.from_url(settings.REDIS_URL).info("commandstats")["cmdstat_set"]["calls"]
    assert (int(calls) - sets, product_number(office)) == (1, 4)


def kill(redis: Redis) -> None:
    redis.kill()


def stop(redis: Redis) -> None:
    redis.send(signal.SIGSTOP)


# The tests below call Django's cache directly. A failure of Redis is a miss.


@pytest.fixture
def redis(settings: Any) -> Iterator[Redis]:
    with running(Redis()) as server:
        settings.CACHES = libraries.caches(server.url)
        yield server


def test_increment_does_not_change_the_expiry_of_a_key(redis: Redis) -> None:
    with pytest.raises(ValueError, match="not found"):
        cache.incr("counted-in")
    cache.add("counted-in", 1, 60)
    assert (cache.incr("counted-in"), cache.incr("counted-in", 3), cache.get("counted-in")) == (2, 5, 5)
    assert 0 < Client.from_url(redis.url).ttl(cache.make_key("counted-in")) <= 60


@pytest.mark.parametrize("value", [b"\xff\xfe", b"{", b""])
def test_foreign_value_in_redis_is_a_miss(redis: Redis, value: bytes) -> None:
    Client.from_url(redis.url).set(cache.make_key("foreign"), value)
    assert cache.get("foreign") is None


def test_failing_redis_is_a_miss_and_unused_for_a_second(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.set("kept", 1, 60)
    redis.kill()
    assert (cache.get("kept"), cache.add("kept", 1), cache.delete("kept"), cache.has_key("kept")) == (
        None,
        *[False] * 3,
    )
    redis.start()
    cache.set("kept", 2, 60)
    assert cache.get("kept") is None
    monkeypatch.setattr("web.caching.monotonic", lambda: float("inf"))
    cache.set("kept", 3, 60)
    assert cache.get("kept") == 3
