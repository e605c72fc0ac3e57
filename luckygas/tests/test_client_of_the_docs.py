"""The client in `docs/realtime.md` prints events, also those that it missed while disconnected."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async as make
from django.contrib.auth.models import User

from luckygas.testing.site import Site
from luckygas.testing.waiting import wait_for
from luckygas.tests.docs import ROOT, blocks
from orders.states import OrderStatus
from orders.tests.factories import make_order

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def client_output(site: Site, tmp_path: Path) -> Iterator[Path]:
    """The file with the client's output so far."""
    User.objects.create_user("office", password="office-demo", is_staff=True)  # noqa: S106
    (client,) = [block.text for block in blocks(ROOT / "docs/realtime.md") if block.language == "python"]
    output = tmp_path / "output"
    with output.open("w") as file:
        command = [sys.executable, "-c", client, f"127.0.0.1:{site.port}"]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        yield output
        process.kill()
        process.wait()


def count(client_output: Path, status: str) -> int:
    moves = [line for line in client_output.read_text().splitlines() if line.startswith("order.status_changed ")]
    return sum(f"'status': '{status}'" in line for line in moves)


async def test_client_prints_each_event_once_despite_a_killed_server(site: Site, client_output: Path) -> None:
    order = await make(make_order)()
    await asyncio.to_thread(wait_for, lambda: "connection" in client_output.read_text())
    await make(order.transition_to)(OrderStatus.CONFIRMED)
    await asyncio.to_thread(wait_for, lambda: count(client_output, "confirmed") == 1)
    site.kill()
    await make(order.transition_to)(OrderStatus.CANCELLED, reason="missed")
    await asyncio.to_thread(wait_for, lambda: "disconnected" in client_output.read_text())
    await asyncio.to_thread(site.start)
    await asyncio.to_thread(wait_for, lambda: count(client_output, "cancelled") > 0)
    assert (count(client_output, "confirmed"), count(client_output, "cancelled")) == (1, 1)
