"""The hub in this process, and the event API, while switches are turned on and off."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async as make

from luckygas.testing.waiting import SOON_SECONDS, wait_for_async
from orders.tests.api.client import Api, make_api
from orders.tests.factories import make_office, set_switch
from realtime.connection import TRY_AGAIN_LATER
from realtime.hub import Hub
from realtime.tests.client import token_for
from realtime.tests.test_hub import change, until
from realtime.tests.test_socket import Socket, connect
from web import flags

pytestmark = pytest.mark.django_db(transaction=True)
SWITCHES = (flags.WEBSOCKETS, flags.REAL_TIME)


@pytest.fixture(autouse=True)
async def _without_switches_in_memory(all_switches_on: None) -> AsyncIterator[None]:
    flags.forget()
    yield
    flags.forget()


@pytest.mark.parametrize("switch", SWITCHES)
async def test_switch_closes_and_refuses_sockets_until_it_is_on_again(hub: Hub, switch: str) -> None:
    user = await make(make_office)()
    socket = await connect(user, endpoint="office")
    since = (await socket.until("connection"))["last_event_id"]
    await make(set_switch)(switch, False)
    await wait_for_async(lambda: socket.closed_with == [TRY_AGAIN_LATER], SOON_SECONDS)
    refused = Socket("office", f"token={await make(token_for)(user)}")
    assert (await refused.until("error"))["code"] == "switched_off"
    await wait_for_async(lambda: refused.closed_with == [TRY_AGAIN_LATER], SOON_SECONDS)
    await change(1, 2)
    await until(hub, since + 2)
    await make(set_switch)(switch, True)
    await wait_for_async(lambda: hub.serves, SOON_SECONDS)
    again = await connect(user, f"&since={since}&epoch={hub.epoch}", endpoint="office")
    await wait_for_async(lambda: len(again.frames) >= 3)
    assert (again.frames[0]["recovered"], again.closed_with) == (True, [])
    assert [frame["data"]["customer_id"] for frame in again.frames[1:3]] == [1, 2]


@pytest.mark.parametrize(("language", "text"), [("en", "turned off"), ("zh-TW", "關閉")])
def test_event_api_answers_503_while_live_updates_are_off(language: str, text: str) -> None:
    api = make_api("office")
    set_switch(flags.REAL_TIME, False)
    flags.forget()
    answer = api.client.get("/api/v1/events/", HTTP_ACCEPT_LANGUAGE=language)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"], answer.headers["Retry-After"]) == (503, "switched_off", "30")
    assert text in error["detail"]


def test_event_api_works_while_only_sockets_are_off() -> None:
    set_switch(flags.WEBSOCKETS, False)
    flags.forget()
    assert Api(make_office()).get("events/").status_code == 200
