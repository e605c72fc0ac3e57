"""A hanging transaction locks one row, and sixty clerks wait for it: everybody else can work."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

import pytest
import requests
from asgiref.sync import sync_to_async as make
from django.conf import settings
from django.db import InternalError, OperationalError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from importing.importer import ADVISORY_LOCK, import_orders
from importing.models import CheckedSheet
from importing.tests.sheets import make_20kg, make_sheet, row
from luckygas.lock_waiters import Blockers, Watch
from luckygas.testing.servers import running
from luckygas.testing.site import Site
from luckygas.testing.waiting import wait_for
from luckygas.tests.office import Ask, Office
from orders import services
from orders.models import Change, Order
from orders.tests.factories import (
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_product,
    make_route,
    make_user,
)
from orders.tests.threads import forgotten, in_thread, sessions_waiting
from realtime.tests.client import open_client, token_for
from web import database
from web.actors import Actor
from web.api.exceptions import Busy, temporary_failure

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]

CLERKS = 60


class Clerks:
    """Clients that repeat the same request as long as the answer tells them to wait."""

    def __init__(self, ask: Ask, count: int = CLERKS) -> None:
        self.answers: list[requests.Response] = []
        self._done = threading.Event()
        self._ask = ask
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._done.is_set():
            answer = self._ask()
            self.answers.append(answer)
            if answer.status_code != 503:
                return
            self._done.wait(float(answer.headers["Retry-After"]))

    def stop(self) -> list[requests.Response]:
        self._done.set()
        for thread in self._threads:
            thread.join()
        return self.answers


@pytest.fixture
def patient_site() -> Iterator[Site]:
    """A site with a long lock timeout, so that waiting requests hold their connections for the whole test."""
    with running(Site("uvicorn", DATABASE_LOCK_SECONDS="100")) as server:
        yield server


def locked_order(office: Office) -> tuple[str, int, Ask]:
    order = make_order()
    return "orders_order", order.pk, lambda: office.confirms(order)


def locked_product(office: Office) -> tuple[str, int, Ask]:
    """A row with a foreign key waits for the locked row at COMMIT."""
    customer, product = make_customer(), make_product()
    items = [{"product": product.pk, "quantity": 1}]
    wanted = {"customer": customer.pk, "scheduled_date": str(timezone.localdate()), "items": items}
    return "catalogue_product", product.pk, lambda: office.call("POST", "orders/", wanted)


def locked_customer(office: Office) -> tuple[str, int, Ask]:
    customer = make_customer()
    return (
        "customers_customer",
        customer.pk,
        lambda: office.call("PATCH", f"customers/{customer.pk}/", {"notes": "三樓"}),
    )


@pytest.mark.parametrize(
    "case", [locked_order, *(pytest.param(case, marks=pytest.mark.long) for case in (locked_product, locked_customer))]
)
def test_waiting_for_a_locked_row_does_not_block_others(patient_site: Site, case: Callable[[Office], Any]) -> None:
    office = Office(patient_site)
    table, pk, ask = case(office)
    others = [make_order() for _ in range(10)]
    with forgotten(f"SELECT 1 FROM {table} WHERE id = %s FOR UPDATE", pk):
        clerks = Clerks(ask)
        wait_for(sessions_waiting)
        for other in others:
            answers = [requests.get(f"{patient_site.url}/health/ready", timeout=30), office.call("GET", "orders/")]
            assert {answer.status_code for answer in [*answers, office.confirms(other)]} == {200}
        most = settings.DATABASE_POOL // 4
        wait_for(lambda: len(clerks.answers) >= CLERKS - most)
        wait_for(lambda: sessions_waiting() <= most)
    refused = [answer for answer in clerks.stop() if answer.status_code == 503]
    assert len(refused) >= CLERKS - most
    assert {answer.json()["errors"][0]["code"] for answer in refused} == {"row_locked"}
    assert {answer.headers["Retry-After"] for answer in refused} == {"2"}


async def first_of(*answers: Awaitable[Any]) -> Any:
    done, waiting = await asyncio.wait(map(asyncio.ensure_future, answers), return_when=asyncio.FIRST_COMPLETED)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return done.pop().result()


def token_of_office() -> str:
    return token_for(make_office())


async def test_socket_commands_on_other_orders_go_on(site: Site) -> None:
    locked, free = [await make(make_order)() for _ in range(2)]
    urls = [f"{site.ws}/office?token={await make(token_of_office)()}" for _ in range(12)]
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(open_client(url)) for url in urls]
        stack.enter_context(forgotten("SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", locked.pk))
        for client in clients[1:]:
            await client.send(type="order_update", order_id=locked.pk, status="confirmed", ref="mine")
        await make(wait_for)(sessions_waiting)
        await clients[0].answer("ack", type="order_update", order_id=free.pk, status="confirmed")
        refused = await first_of(*(client.until("error") for client in clients[1:]))
    assert (refused["code"], refused["ref"]) == ("row_locked", "mine")


def test_admin_says_that_a_row_is_locked(client: Client, settings: Any) -> None:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    client.raise_request_exception = False
    customer = make_customer()
    url = reverse("admin:customers_customer_change", args=[customer.pk])
    with (
        forgotten("SELECT 1 FROM customers_customer WHERE id = %s FOR UPDATE", customer.pk),
        limited("lock_timeout", "50ms"),
    ):
        answer = client.post(url, {"name": "王"}, headers={"Accept-Language": "en"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert "Someone else is changing this." in answer.content.decode()


@contextmanager
def limited(name: str, value: str) -> Iterator[None]:
    """Changes a limit of the test's own connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, false)", [name, value])
    try:
        yield
    finally:
        # Resets the same connection, or it would return to the pool with this limit.
        with connection.cursor() as cursor:
            cursor.execute(f"RESET {name}")


def ours() -> int:
    """Counts sessions of this process in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s AND state <> 'idle'",
            [database.LONG_WORK],
        )
        return int(cursor.fetchone()[0])


def in_vain(statement: str, *values: Any, work: Callable[[], Any]) -> Any:
    """Runs `work` while the statement blocks it for several attempts. Checks that it holds no connection meanwhile."""
    with forgotten(statement, *values):
        returned: list[Any] = []
        waiting = in_thread(lambda: returned.append(work()))
        wait_for(lambda: ours() == 1)
        # Attempts are short, and the pauses between them, without a connection, grow.
        held = [ours() for _ in range(100) if not waiting.wait(0.02)]
        assert len(held) == 100
        assert sum(held) < 50
    waiting.join()
    return returned[0]


def test_bulk_update_waits_for_a_lock_without_a_connection() -> None:
    office, orders = make_office(), [make_order() for _ in range(3)]
    ids = [order.pk for order in orders]
    outcome = in_vain(
        "SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", ids[1],
        work=lambda: services.bulk_update(ids, {"status": "confirmed"}, Actor(office)),
    )  # fmt: skip
    assert (outcome.updated, outcome.failed) == (ids, [])


def test_single_move_on_board_waits_as_long_as_a_command(settings: Any) -> None:
    settings.DATABASE_LOCK_SECONDS = 0.3
    office, order = make_office(), make_order()
    locked = forgotten("SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", order.pk)
    with locked, pytest.raises(OperationalError) as raised:
        services.bulk_update([order.pk], {"status": "confirmed"}, Actor(office))
    assert database.is_row_locked(raised.value)


def test_route_waits_for_a_lock_without_a_connection() -> None:
    office, driver, route = make_office(), make_driver(), make_route()
    order = make_order("confirmed", route=route)
    outcome = in_vain(
        "SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", order.pk,
        work=lambda: services.assign_route(route.pk, driver, Actor(office)),
    )  # fmt: skip
    assert outcome.updated == [order.pk]


def test_import_waits_for_another_without_a_connection() -> None:
    make_20kg()
    report = in_vain(
        "SELECT pg_advisory_xact_lock(%s)", ADVISORY_LOCK,
        work=lambda: import_orders(make_sheet(row(1, date=str(timezone.localdate())))),
    )  # fmt: skip
    assert len(report.created) == 1


def test_long_work_in_a_transaction_waits_too() -> None:
    """Like the demo, which imports two sheets in one transaction."""
    order = make_order()

    def work() -> None:
        with transaction.atomic(), database.long_work(order.lock):
            pass

    with forgotten("SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", order.pk):
        waiting = in_thread(work)
        wait_for(sessions_waiting)
        assert not waiting.wait(3 * database.ATTEMPT_SECONDS)
    waiting.join()


def test_checked_sheet_survives_another_import(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAX_WAIT_SECONDS", 0.3)
    client.raise_request_exception = False
    make_20kg()
    clerk = make_office(is_superuser=True)
    client.force_login(clerk)
    kept = CheckedSheet.store(clerk, make_sheet(row(1, date=str(timezone.localdate()))), name="a.csv", encoding="")
    url, said = reverse("import_orders"), {"token": kept.token}
    with forgotten("SELECT pg_advisory_xact_lock(%s)", ADVISORY_LOCK):
        assert client.post(url, said).status_code == 503
    assert client.post(url, said).status_code == 200
    assert Order.objects.count() == 1


def test_long_work_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAX_WAIT_SECONDS", 0.3)
    orders = [make_order().pk for _ in range(2)]
    locked = forgotten("SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", orders[0])
    with locked, pytest.raises(OperationalError) as raised:
        services.bulk_update(orders, {"status": "confirmed"}, Actor(make_office()))
    assert database.is_row_locked(raised.value)


def test_database_ends_idle_transaction() -> None:
    with connection.cursor() as cursor:
        limits = "SELECT setting::int / 1000 FROM pg_settings WHERE name = ANY(%s) ORDER BY name"
        cursor.execute(limits, [["idle_in_transaction_session_timeout", "lock_timeout"]])
        found = [seconds for (seconds,) in cursor.fetchall()]
        assert found == [settings.DATABASE_IDLE_SECONDS, settings.DATABASE_LOCK_SECONDS]
    order, frozen = make_order(), threading.Event()

    def freeze() -> None:
        with pytest.raises(InternalError) as raised, transaction.atomic():
            order.lock()
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '100ms'")
            frozen.set()
            time.sleep(0.5)
            order.save(change=Change(items="瓦斯"))
        assert isinstance(temporary_failure(raised.value), Busy)

    forgetting = in_thread(freeze)
    frozen.wait()
    Order.objects.get(pk=order.pk).transition_to("confirmed")
    forgetting.join()


def test_long_work_may_be_idle_longer_than_a_request() -> None:
    order = make_order()
    with database.long_work(order.lock), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout')")
        assert cursor.fetchone() == ("0", "1min")


def test_moving_queue_is_not_cancelled() -> None:
    blockers = Blockers(most=1)
    # Each session holds the row for 0.2 s, and three wait behind it for a second or longer.
    moments = [({ahead + n: [ahead + n - 1] for n in (1, 2, 3)}, ahead * 0.2) for ahead in range(10)]
    assert [blockers.too_many(waiting, now) for waiting, now in moments] == [[]] * 10


def test_blocker_keeps_at_most_a_quarter_of_the_pool_waiting() -> None:
    blockers = Blockers(most=2)
    waiting = {2: [1], 3: [2], 4: [3, 2], 5: [9], 6: [4]}
    assert blockers.too_many(waiting, 0.0) == []
    assert blockers.too_many(waiting, 0.3) == [4, 5, 6]
    assert blockers.too_many({5: [7]}, 0.4) == []


def test_thread_survives_missing_settings(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that restores its settings removes them for a moment."""
    watch, looks = Watch(), list[int]()

    def at_work() -> list[int]:
        looks.append(1)
        return []

    monkeypatch.setattr(watch, "at_work", at_work)
    del settings.DATABASE_POOL
    connection.ensure_connection()
    watch.took(connection)
    wait_for(lambda: len(looks) > 2)


def test_idle_connections_do_not_count() -> None:
    """Such as those of a hub; in a small pool they are more than may wait."""
    watch, held, done = Watch(), threading.Barrier(4), threading.Event()

    def keep(*, begun: bool) -> None:
        with transaction.atomic() if begun else nullcontext():
            sessions_waiting()
            watch.took(connection)
            held.wait()
            done.wait()
        connection.close()

    kept = [in_thread(partial(keep, begun=begun)) for begun in (False, False, True)]
    held.wait()
    at_work = watch.at_work()
    done.set()
    for thread in kept:
        thread.join()
    assert len(at_work) == 1
    assert watch.at_work() == []
