"""A hanging transaction locks one row, and sixty clerks wait for it. Everybody else can work."""

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
from luckygas.tests.office import Office, SendRequest
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
from orders.tests.threads import in_thread, open_transaction, sessions_waiting
from realtime.tests.client import open_client, token_for
from web import database
from web.actors import Actor
from web.api.exceptions import Busy, temporary_failure

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]

CLERKS = 60


class Clerks:
    """Clients that repeat the same request as long as the response is 503."""

    def __init__(self, send_request: SendRequest, count: int = CLERKS) -> None:
        self.answers: list[requests.Response] = []
        self._done = threading.Event()
        self._send_request = send_request
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._done.is_set():
            answer = self._send_request()
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


def locked_order(office: Office) -> tuple[str, int, SendRequest]:
    order = make_order()
    return "orders_order", order.pk, lambda: office.confirm(order)


def locked_product(office: Office) -> tuple[str, int, SendRequest]:
    """Returns a product to lock and a request for an order of it, whose foreign key waits for the lock at COMMIT."""
    customer, product = make_customer(), make_product()
    items = [{"product": product.pk, "quantity": 1}]
    body = {"customer": customer.pk, "scheduled_date": str(timezone.localdate()), "items": items}
    return "catalogue_product", product.pk, lambda: office.call("POST", "orders/", body)


def locked_customer(office: Office) -> tuple[str, int, SendRequest]:
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
    with open_transaction(f"SELECT 1 FROM {table} WHERE id = %s FOR UPDATE", pk):
        clerks = Clerks(ask)
        wait_for(sessions_waiting)
        for other in others:
            answers = [requests.get(f"{patient_site.url}/health/ready", timeout=30), office.call("GET", "orders/")]
            assert {answer.status_code for answer in [*answers, office.confirm(other)]} == {200}
        limit = settings.DATABASE_POOL // 4
        wait_for(lambda: len(clerks.answers) >= CLERKS - limit)
        wait_for(lambda: sessions_waiting() <= limit)
    refused = [answer for answer in clerks.stop() if answer.status_code == 503]
    assert len(refused) >= CLERKS - limit
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


async def test_socket_command_on_another_order_succeeds_during_a_lock(site: Site) -> None:
    locked, free = [await make(make_order)() for _ in range(2)]
    urls = [f"{site.ws}/office?token={await make(token_of_office)()}" for _ in range(12)]
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(open_client(url)) for url in urls]
        stack.enter_context(open_transaction("SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", locked.pk))
        for client in clients[1:]:
            await client.send(type="order_update", order_id=locked.pk, status="confirmed", ref="mine")
        await make(wait_for)(sessions_waiting)
        await clients[0].answer("ack", type="order_update", order_id=free.pk, status="confirmed")
        refused = await first_of(*(client.until("error") for client in clients[1:]))
    assert (refused["code"], refused["ref"]) == ("row_locked", "mine")


def test_admin_answers_503_for_a_locked_row(client: Client, settings: Any) -> None:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    client.raise_request_exception = False
    customer = make_customer()
    url = reverse("admin:customers_customer_change", args=[customer.pk])
    with (
        open_transaction("SELECT 1 FROM customers_customer WHERE id = %s FOR UPDATE", customer.pk),
        local_setting("lock_timeout", "50ms"),
    ):
        answer = client.post(url, {"name": "王"}, headers={"Accept-Language": "en"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert "Another change to this is in progress." in answer.content.decode()


@contextmanager
def local_setting(name: str, value: str) -> Iterator[None]:
    """Changes a PostgreSQL setting of the test's own connection, such as `lock_timeout`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, false)", [name, value])
    try:
        yield
    finally:
        # Without the reset the connection would return to the pool with this setting.
        with connection.cursor() as cursor:
            cursor.execute(f"RESET {name}")


def count_long_work() -> int:
    """Counts the sessions with long work that are not idle."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s AND state <> 'idle'",
            [database.LONG_WORK],
        )
        return int(cursor.fetchone()[0])


def run_while_blocked(statement: str, *values: Any, work: Callable[[], Any]) -> Any:
    """Runs `work` while the statement blocks it for several attempts. Returns its result.

    Checks that `work` has a connection in less than half of the samples: its attempts are short, and the pauses grow.
    """
    with open_transaction(statement, *values):
        results: list[Any] = []
        waiting = in_thread(lambda: results.append(work()))
        wait_for(lambda: count_long_work() == 1)
        samples = [count_long_work() for _ in range(100) if not waiting.wait(0.02)]
        assert len(samples) == 100
        assert sum(samples) < 50
    waiting.join()
    return results[0]


def test_bulk_update_mostly_waits_for_a_lock_without_a_connection() -> None:
    office, orders = make_office(), [make_order() for _ in range(3)]
    ids = [order.pk for order in orders]
    outcome = run_while_blocked(
        "SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", ids[1],
        work=lambda: services.bulk_update(ids, {"status": "confirmed"}, Actor(office)),
    )  # fmt: skip
    assert (outcome.updated, outcome.failed) == (ids, [])


def test_single_move_on_board_fails_after_the_lock_timeout(settings: Any) -> None:
    settings.DATABASE_LOCK_SECONDS = 0.3
    office, order = make_office(), make_order()
    locked = open_transaction("SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", order.pk)
    with locked, pytest.raises(OperationalError) as raised:
        services.bulk_update([order.pk], {"status": "confirmed"}, Actor(office))
    assert database.is_row_locked(raised.value)


def test_route_assignment_mostly_waits_for_a_lock_without_a_connection() -> None:
    office, driver, route = make_office(), make_driver(), make_route()
    order = make_order("confirmed", route=route)
    outcome = run_while_blocked(
        "SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", order.pk,
        work=lambda: services.assign_route(route.pk, driver, Actor(office)),
    )  # fmt: skip
    assert outcome.updated == [order.pk]


def test_import_mostly_waits_for_another_without_a_connection() -> None:
    make_20kg()
    report = run_while_blocked(
        "SELECT pg_advisory_xact_lock(%s)", ADVISORY_LOCK,
        work=lambda: import_orders(make_sheet(row(1, date=str(timezone.localdate())))),
    )  # fmt: skip
    assert len(report.created) == 1


def test_long_work_in_a_transaction_waits_for_a_lock() -> None:
    """The demo does this: it imports two sheets in one transaction."""
    order = make_order()

    def work() -> None:
        with transaction.atomic(), database.long_work(order.lock):
            pass

    with open_transaction("SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", order.pk):
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
    sheet = CheckedSheet.store(clerk, make_sheet(row(1, date=str(timezone.localdate()))), name="a.csv", encoding="")
    url, form_data = reverse("import_orders"), {"token": sheet.token}
    with open_transaction("SELECT pg_advisory_xact_lock(%s)", ADVISORY_LOCK):
        assert client.post(url, form_data).status_code == 503
    assert client.post(url, form_data).status_code == 200
    assert Order.objects.count() == 1


def test_long_work_fails_after_the_longest_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAX_WAIT_SECONDS", 0.3)
    orders = [make_order().pk for _ in range(2)]
    locked = open_transaction("SELECT 1 FROM orders_order WHERE id = %s FOR UPDATE", orders[0])
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

    frozen_thread = in_thread(freeze)
    frozen.wait()
    Order.objects.get(pk=order.pk).transition_to("confirmed")
    frozen_thread.join()


def test_long_work_may_be_idle_longer_than_a_request() -> None:
    order = make_order()
    with database.long_work(order.lock), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('lock_timeout')")
        assert cursor.fetchone() == ("0", "1min")


def test_waiters_of_changing_blockers_are_not_cancelled() -> None:
    blockers = Blockers(limit=1)
    # Each session holds the row for 0.2 s. Three wait behind it, each for 0.6 s.
    moments = [({ahead + n: [ahead + n - 1] for n in (1, 2, 3)}, ahead * 0.2) for ahead in range(10)]
    assert [blockers.sessions_to_cancel(waiting, now) for waiting, now in moments] == [[]] * 10


def test_waiters_of_lasting_blockers_are_cancelled_beyond_the_limit() -> None:
    blockers = Blockers(limit=2)
    waiting = {2: [1], 3: [2], 4: [3, 2], 5: [9], 6: [4]}
    assert blockers.sessions_to_cancel(waiting, 0.0) == []
    assert blockers.sessions_to_cancel(waiting, 0.3) == [4, 5, 6]
    assert blockers.sessions_to_cancel({5: [7]}, 0.4) == []


def test_watching_thread_survives_missing_settings(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that restores its settings removes them for a moment."""
    watch, looks = Watch(), list[int]()

    def busy_sessions() -> list[int]:
        looks.append(1)
        return []

    monkeypatch.setattr(watch, "busy_sessions", busy_sessions)
    del settings.DATABASE_POOL
    connection.ensure_connection()
    watch.register(connection)
    wait_for(lambda: len(looks) > 2)


def test_idle_connections_do_not_count_as_busy() -> None:
    """A hub has idle connections. In a small pool they are more than the connections that may wait."""
    watch, all_hold, done = Watch(), threading.Barrier(4), threading.Event()

    def hold_connection(*, in_transaction: bool) -> None:
        with transaction.atomic() if in_transaction else nullcontext():
            sessions_waiting()
            watch.register(connection)
            all_hold.wait()
            done.wait()
        connection.close()

    threads = [
        in_thread(partial(hold_connection, in_transaction=in_transaction)) for in_transaction in (False, False, True)
    ]
    all_hold.wait()
    busy = watch.busy_sessions()
    done.set()
    for thread in threads:
        thread.join()
    assert len(busy) == 1
    assert watch.busy_sessions() == []
