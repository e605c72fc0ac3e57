from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make

from luckygas.testing.site import Site, running
from orders.tests.factories import make_user
from realtime import limits
from realtime.limits import Allowance
from realtime.tests.client import Client, open_client, token_for

MOST_BYTES = 64 * 1024


def taken(allowance: Allowance, times: int) -> int:
    return sum(allowance.take() for _ in range(times))


def test_an_allowance_is_a_burst_and_then_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(limits, "monotonic", lambda: now[0])
    allowance = Allowance(per_second=20, burst=40)
    assert taken(allowance, 100) == 40
    now[0] += 0.5
    assert taken(allowance, 100) == 10
    now[0] += 3600
    assert taken(allowance, 100) == 40


def test_refusals_use_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(limits, "monotonic", lambda: now[0])
    allowance = Allowance(per_second=1, burst=1)
    taken(allowance, 1000)
    now[0] += 1
    assert taken(allowance, 1000) == 1


@pytest.fixture(params=["daphne", "uvicorn"])
def impatient_site(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[Site]:
    with running(request.param, WEBSOCKET_SILENCE_SECONDS="1.5") as site:
        yield site


async def address(site: Site) -> str:
    return f"{site.ws}?token={await make(token_for)(await make(make_user)())}"


async def flood(client: Client, times: int) -> list[dict[str, Any]]:
    for number in range(times):
        await client.send(type="subscribe", channel="system", ref=str(number))
    return await client.events(times)


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
async def test_messages_beyond_the_burst_are_refused_and_who_goes_on_is_closed(either_site: Site) -> None:
    url = await address(either_site)
    async with open_client(url) as client, open_client(url) as other:
        answers = await flood(client, 80)
        kinds = Counter(answer.get("code", answer["type"]) for answer in answers)
        assert set(kinds) == {"subscribed", "rate_limited"}
        assert 40 <= kinds["subscribed"] < 60
        refused = [answer["ref"] for answer in answers if answer["type"] == "error"]
        assert refused == sorted(set(refused), key=int)
        await asyncio.sleep(0.5)
        assert (await client.ask(type="heartbeat"))["type"] == "heartbeat"
        for _ in range(300):
            await client.send(type="heartbeat")
        assert await client.closed() == limits.TOO_FAST
        assert (await other.ask(type="heartbeat"))["type"] == "heartbeat"
    async with open_client(url) as again:
        assert again.welcome["status"] == "connected"


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
async def test_who_says_nothing_is_closed_and_who_says_anything_stays(impatient_site: Site) -> None:
    url = await address(impatient_site)
    async with open_client(url) as silent, open_client(url) as speaking:
        for _ in range(4):
            await asyncio.sleep(0.5)
            assert (await speaking.ask(type="nonsense"))["code"] == "unknown_type"
        assert await silent.closed() == limits.SILENT
        assert (await speaking.ask(type="heartbeat"))["type"] == "heartbeat"


def padded(size: int) -> str:
    """A message of so many bytes."""
    empty = json.dumps({"type": "x", "ref": "r", "pad": ""})
    return json.dumps({"type": "x", "ref": "r", "pad": "p" * (size - len(empty))})


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
async def test_a_message_of_64_kib_is_read_and_a_longer_one_closes_with_its_reason(either_site: Site) -> None:
    url = await address(either_site)
    text = padded(MOST_BYTES)
    async with open_client(url) as client:
        for message in (text, [text[:100], text[100:]]):
            await client.socket.send(message)
            answer = await client.receive()
            assert (answer["code"], answer["ref"]) == ("unknown_type", "r")
    longer: list[Any] = [text + " ", (text + " ").encode(), [text, " "], "瓦" * (MOST_BYTES // 3 + 1)]
    for message in [*longer, *([text * 100] if either_site.server == "uvicorn" else [])]:
        async with open_client(url) as client:
            await client.socket.send(message)
            assert await client.closed() == (1009 if either_site.server == "uvicorn" else 4009)
