"""A server freezes (a paused container, a swapping machine) while it holds a lock. Others must go on working."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from asgiref.sync import sync_to_async as make
from django.db import Error, connection, transaction

from luckygas.testing.servers import running
from luckygas.testing.site import Site, database_url
from luckygas.testing.waiting import wait_for
from orders.tests.factories import make_office
from realtime.models import Event
from realtime.outbox import announce
from realtime.tests.client import Client, open_client, token_for
from web.database import is_unavailable

pytestmark = [pytest.mark.long, pytest.mark.servers, pytest.mark.django_db(transaction=True)]
NAMES = ("one", "two")


@pytest.fixture
def sites(transactional_db: None) -> Iterator[dict[str, Site]]:
    """Two sites by their application_name in PostgreSQL."""
    with ExitStack() as stack:
        sites_by_name = {
            name: Site("uvicorn", DATABASE_URL=f"{database_url()}?application_name={name}") for name in NAMES
        }
        for site in sites_by_name.values():
            stack.enter_context(running(site))
        yield sites_by_name


def publish(number: int) -> None:
    announce("custom.number", "published:staff", {"data": {"number": number}})


def waits_for(table: str) -> str | None:
    """Returns the name of the site that waits for a lock on this table."""
    query = """SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid)
        WHERE NOT granted AND relation = %s::regclass AND application_name = ANY(%s)"""
    with connection.cursor() as cursor:
        cursor.execute(query, [table, list(NAMES)])
        row = cursor.fetchone()
    return row[0] if row else None


@contextmanager
def frozen_with_the_log(sites: dict[str, Site]) -> Iterator[str]:
    """Freezes a site while it waits to write into the locked event table. Yields its name.

    The table is unlocked then, so the frozen site holds the locks of its transaction, also that of the log.
    """
    with psycopg.connect(database_url()) as other:
        other.execute("LOCK TABLE realtime_event IN SHARE ROW EXCLUSIVE MODE")
        publish(1)
        name = wait_for(lambda: waits_for("realtime_event")) or ""
        sites[name].send(signal.SIGSTOP)
        other.rollback()
    try:
        yield name
    finally:
        sites[name].send(signal.SIGCONT)


async def received_numbers(client: Client, count: int) -> list[int]:
    return [(await client.until("custom.number"))["data"]["number"] for _ in range(count)]


async def test_another_server_publishes_while_the_lock_holder_is_frozen(sites: dict[str, Site]) -> None:
    token = await make(lambda: token_for(make_office()))()
    urls = {name: f"{site.ws}/office?token={token}" for name, site in sites.items()}
    async with open_client(urls["one"]) as first, open_client(urls["two"]) as second:
        clients = {"one": first, "two": second}
        freezing = frozen_with_the_log(sites)
        name = await make(freezing.__enter__)()
        frozen, awake = clients.pop(name), clients.popitem()[1]
        await make(publish)(2)
        assert await received_numbers(awake, 2) == [1, 2]
        await make(freezing.__exit__)(None, None, None)
        await make(publish)(3)
        assert (await received_numbers(frozen, 3), await received_numbers(awake, 1)) == ([1, 2, 3], [3])
    events: list[Any] = await make(lambda: list(Event.objects.order_by("seq")))()
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.data["number"] for event in events if event.type == "custom.number"] == [1, 2, 3]


def test_ended_idle_transaction_counts_as_unavailable_database() -> None:
    with pytest.raises(Error) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '20ms'")
        time.sleep(0.2)
        cursor.execute("SELECT 1")
    connection.close()
    assert is_unavailable(raised.value)
