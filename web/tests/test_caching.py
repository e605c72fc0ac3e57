"""Kept answers, on a real Redis and with real commits: never stale, never another's, whoever dies when."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from catalogue.models import Product
from dispatch.models import Driver
from luckygas import caches
from luckygas.rest import THROTTLE_RATES
from luckygas.testing.servers import Redis, running
from luckygas.testing.site import ROOT, environment
from luckygas.testing.waiting import wait_for
from orders.models import Order
from orders.states import Status
from orders.tests.api.client import Api, make_api
from orders.tests.factories import TODAY, make_customer, make_driver, make_office, make_order, make_product
from orders.tests.threads import in_thread
from realtime import log
from realtime.models import LogHead
from web import caching, flags
from web.flags import Seen

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]
PERIOD = {"from": str(TODAY), "to": str(TODAY)}


@pytest.fixture
def office() -> Api:
    return make_api("office")


def statistics(api: Api) -> Any:
    return api.get("orders/statistics/", **PERIOD).json()


def told(api: Api) -> int:
    """The number that the product has for a name (`make`, `write`)."""
    return int(statistics(api)["by_product"][0]["name"])


def make() -> None:
    make_order(Status.DELIVERED, product=make_product(name="1"))
    log.number()


def write(number: int) -> None:
    product = Product.objects.get()
    product.name = str(number)
    product.save()


# The account with its role, and the end of the log.
KEPT = 2


def queries(work: Any) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def settled(work: Any) -> None:
    """The change, numbered as a hub does."""
    work()
    log.number()


def test_the_second_answer_is_the_first_one_without_its_queries(office: Api) -> None:
    make()
    first, whole = statistics(office), queries(lambda: statistics(make_api("office")))
    assert (statistics(office), queries(lambda: statistics(office))) == (first, KEPT)
    assert whole > KEPT


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

    answers = [
        statistics(office), statistics(office),
        renamed(Driver.objects.get(), "新"), renamed(Product.objects.get(), "新桶"),
    ]  # fmt: skip
    assert [answer["by_driver"][0]["name"] for answer in answers] == ["舊", "舊", "新", "新"]
    assert [answer["by_product"][0]["name"] for answer in answers] == ["舊桶", "舊桶", "舊桶", "新桶"]
    Order.objects.get(pk=order.pk).transition_to(Status.DELIVERING)
    if numbered:
        log.number()
    assert statistics(office)["by_status"]["delivering"] == 1
    office.patch(f"orders/{order.pk}/", {"items": [{"product": Product.objects.get().pk, "quantity": 3}]})
    if numbered:
        log.number()
    assert statistics(office)["by_product"][0]["ordered"] == 3


def test_nobody_gets_anothers_answer(office: Api) -> None:
    make()
    statistics(office)
    assert make_api("customer").get("orders/statistics/", **PERIOD).status_code == 403
    other = {"from": str(TODAY - timedelta(days=9)), "to": str(TODAY - timedelta(days=1))}
    assert (office.get("orders/statistics/", **other).json()["total"], statistics(office)["total"]) == (0, 1)


def test_the_header_is_of_now_and_not_of_then(office: Api) -> None:
    make()
    first = office.get("orders/statistics/")
    settled(make_customer)  # of which the figures tell nothing
    last = office.get("orders/statistics/")
    assert first.json() == last.json()
    assert int(last["Last-Event-Id"]) == log.head().seq > int(first["Last-Event-Id"])


def test_a_reader_that_writes_late_writes_where_nobody_looks(office: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    make()
    read, go_on = threading.Event(), threading.Event()
    shared = caching.shared_cache()
    assert shared is not None
    keep = type(shared).set

    def late(*args: Any, **kwargs: Any) -> None:
        read.set()
        assert go_on.wait(10)
        keep(*args, **kwargs)

    monkeypatch.setattr(type(shared), "set", late)
    reader = in_thread(lambda: statistics(office))
    assert read.wait(10)
    monkeypatch.undo()
    settled(lambda: write(2))
    go_on.set()
    reader.join()
    assert [told(make_api("office")) for _ in range(2)] == [2, 2]


def test_readers_among_writers_and_a_numberer_never_see_the_past() -> None:
    make()
    user, committed, stop, seen = make_office(), [0], threading.Event(), list[int]()

    def change() -> None:
        for count in range(1, 41):
            write(count)
            committed[0] = count

    def number() -> None:
        while not stop.is_set():
            log.number()
            time.sleep(0.002)

    def look() -> None:
        api = Api(user)
        while not stop.is_set():
            least = committed[0]
            number = told(api)
            seen.append(number)
            assert number >= least

    others = [in_thread(number), *(in_thread(look) for _ in range(3))]
    writers = [in_thread(change)]
    try:
        for writer in writers:
            writer.join()
    finally:
        stop.set()
    for other in others:
        other.join()
    log.number()
    assert (told(Api(user)), len(seen) > 20) == (40, True)


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


def test_who_is_killed_right_after_the_commit_leaves_nothing_stale(office: Api) -> None:
    make()
    assert told(office) == 1
    child = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, env=child_environment(), check=False, timeout=30)
    assert child.returncode == -signal.SIGKILL
    assert told(office) == 6
    log.number()
    assert told(office) == 6


def child_environment() -> dict[str, str]:
    return environment(DJANGO_SETTINGS_MODULE="luckygas.settings")


def number_without_counting() -> None:
    """As the hub of the release before."""
    counts = LogHead.objects.get().changes
    log.number()
    LogHead.objects.update(changes=counts)


def test_what_the_release_before_numbers_during_an_upgrade_is_told_too(office: Api) -> None:
    make()
    assert told(office) == 1
    write(2)
    number_without_counting()
    assert told(office) == 2
    settled(make_customer)  # counted again, and of another kind
    assert [told(office) for _ in range(2)] == [2, 2]
    assert queries(lambda: statistics(office)) == KEPT


def test_a_change_that_is_rolled_back_changes_nothing(office: Api) -> None:
    make()
    statistics(office)
    with transaction.atomic():
        write(2)
        transaction.set_rollback(True)
    assert queries(lambda: statistics(office)) == KEPT


def test_switched_off_nothing_is_kept(office: Api) -> None:
    make()
    statistics(office)
    flags._seen = Seen(at=float("inf"), off=frozenset({flags.CACHING}))
    assert queries(lambda: statistics(office)) > KEPT


def test_another_epoch_knows_nothing_of_the_answers_of_this_one(office: Api) -> None:
    """A backup that was restored counts the same changes again, and they are others."""
    make()
    statistics(office)
    log.begin_epoch(log.head())
    Product.objects.unannounced().update(name="7")
    assert told(office) == 7


@pytest.fixture
def own_redis(settings: Any) -> Iterator[Redis]:
    with running(Redis()) as redis:
        settings.CACHES = caches.caches(redis.url)
        yield redis


def seconds(work: Any) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def test_redis_may_die_freeze_and_come_back(office: Api, own_redis: Redis, rates: Callable[..., None]) -> None:
    rates(**THROTTLE_RATES)  # who counts requests asks Redis first
    make()
    assert statistics(office) == statistics(office)
    for harm, mend in ((kill, own_redis.start), (stop, lambda: own_redis.send(signal.SIGCONT))):
        usual = seconds(lambda: statistics(office))
        harm(own_redis)
        # Not the seconds of an ordinary client; how little it is, the settings of the cache say.
        assert seconds(lambda: statistics(office)) < 1 + 5 * usual
        assert sum(seconds(lambda: statistics(office)) for _ in range(5)) < 1 + 25 * usual
        number = told(office) + 1
        settled(partial(write, number))
        assert told(office) == number
        mend()
        wait_for(lambda: queries(lambda: statistics(office)) <= KEPT)
        assert told(office) == number


def kill(redis: Redis) -> None:
    redis.kill()


def stop(redis: Redis) -> None:
    redis.send(signal.SIGSTOP)
