from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from orders.tests.factories import make_driver, make_user
from realtime import presence
from realtime.channels import Identity
from realtime.connection import Connection
from realtime.models import WebSocketConnection

pytestmark = pytest.mark.django_db


def connect(user: User) -> Connection:
    async def make() -> Connection:
        return Connection(Identity(user.pk, "driver"), "driver")

    return asyncio.run(make())


def test_the_open_connections_of_this_process_are_its_rows() -> None:
    first, second, now = connect(make_user()), connect(make_user()), timezone.now()
    presence.write([first, second], now)
    presence.write([second], now + timedelta(seconds=5))
    (row,) = WebSocketConnection.objects.all()
    assert (row.connection_id, row.role, row.last_ping) == (second.id, "driver", now + timedelta(seconds=5))


def test_the_rows_of_a_dead_server_age_out_and_those_of_a_live_one_stay() -> None:
    now = timezone.now()
    for number, age in enumerate((1, 29, 31)):
        seen = now - timedelta(seconds=age)
        WebSocketConnection.objects.create(
            connection_id=f"{number:032x}",
            role="office",
            endpoint="office",
            instance="other:1",
            connected_at=seen,
            last_ping=seen,
        )
    presence.write([], now)
    assert WebSocketConnection.objects.count() == 2


def test_a_driver_with_a_live_socket_is_online() -> None:
    online, offline = make_driver(), make_driver()
    presence.write([connect(online.user)], timezone.now())
    presence.write([connect(offline.user)], timezone.now() - timedelta(minutes=1))
    assert presence.online_driver_ids() == {online.pk}


def test_a_socket_of_an_account_that_is_gone_breaks_nothing() -> None:
    user = make_user()
    connection = connect(user)
    user.delete()
    presence.write([connection], timezone.now())
    assert presence.live().count() == 1
