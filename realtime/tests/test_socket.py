"""The consumer in this process. The tests call it like a server, and let things fail at different moments."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from time import monotonic
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make

from luckygas.testing.waiting import wait_for_async
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_driver, make_office, make_order
from realtime import auth, channels, commands, consumer, log
from realtime.consumer import EventConsumer
from realtime.hub import Hub
from realtime.log import CursorGone
from realtime.models import Outbox
from realtime.tests.client import token_for
from realtime.tests.test_hub import change, until
from web.system_metrics import current_counts, growth

pytestmark = pytest.mark.django_db(transaction=True)


class Socket:
    """Simulates the server: fills a queue for `receive` and records what the application sends."""

    def __init__(self, endpoint: str, query: str = "", headers: Mapping[str, bytes] = {}, link: str = "") -> None:  # noqa: B006
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        scope = {
            "type": "websocket", "path": "/", "query_string": query.encode(),
            "url_route": {"kwargs": {"token": link}},
            "headers": [(name.encode(), value) for name, value in headers.items()],
        }  # fmt: skip
        self.task = asyncio.create_task(EventConsumer(endpoint)(scope, self.incoming.get, self._send))
        self.incoming.put_nowait({"type": "websocket.connect"})

    async def _send(self, message: dict[str, Any]) -> None:
        message.get("text", "").encode()
        self.sent.append(message)

    def send_text(self, text: str) -> None:
        self.incoming.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": 1001})

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [json.loads(message["text"]) for message in self.sent if message["type"] == "websocket.send"]

    @property
    def closed_with(self) -> list[int]:
        return [message["code"] for message in self.sent if message["type"] == "websocket.close"]

    async def until(self, type_: str) -> dict[str, Any]:
        """Waits for a frame of this type. Returns the last one."""
        async with asyncio.timeout(5):
            while not (found := [frame for frame in self.frames if frame["type"] == type_]):
                await asyncio.sleep(0.01)
        return found[-1]


async def connect(user: Any, query: str = "", endpoint: str = "ws") -> Socket:
    """Opens a socket with the user's token, and returns it when the connection frame has come."""
    socket = Socket(endpoint, f"token={await make(token_for)(user)}{query}")
    await socket.until("connection")
    return socket


async def wait_until_no_reader_is_left(hub: Hub) -> None:
    async with asyncio.timeout(5):
        while hub.readers.open:
            await asyncio.sleep(0.01)


@pytest.mark.sqlite
async def test_error_in_a_command_closes_the_socket_and_leaks_nothing(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = await connect(await make(make_office)())

    def away(*args: Any) -> bool:
        raise ConnectionError("the database is away")

    monkeypatch.setattr(channels, "may_read", away)
    socket.send_text('{"type": "subscribe", "channel": "order:1"}')
    await wait_until_no_reader_is_left(hub)
    await asyncio.sleep(0.05)
    assert socket.closed_with == [1011]
    socket.leave()
    await socket.task


@pytest.mark.sqlite
async def test_cancelled_socket_leaks_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    socket = await connect(await make(make_office)())

    async def hang(*args: Any) -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(commands, "may_read", hang)
    socket.send_text('{"type": "subscribe", "channel": "order:1"}')
    await asyncio.sleep(0.05)
    socket.task.cancel()
    await wait_until_no_reader_is_left(hub)


@pytest.mark.sqlite
async def test_slow_authentication_closes_with_try_again_later(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*args: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(consumer, "identify", hang)
    monkeypatch.setattr(consumer, "HANDSHAKE_SECONDS", 0.05)
    socket = Socket("ws")
    assert (await socket.until("error"))["code"] == "busy"
    await wait_for_async(lambda: socket.closed_with == [1013])
    socket.leave()
    await socket.task


@pytest.mark.sqlite
async def test_closed_sockets_leave_no_task(hub: Hub) -> None:
    user = await make(make_office)()
    before = len(asyncio.all_tasks())
    for number in range(50):
        socket = await connect(user)
        if number % 2:
            socket.leave()
        else:
            socket.task.cancel()
        await asyncio.gather(socket.task, return_exceptions=True)
    await asyncio.sleep(0.05)
    assert (hub.readers.open, len(asyncio.all_tasks()) - before) == (set(), 0)


@pytest.mark.sqlite
async def test_burst_of_300_events_closes_no_socket(hub: Hub) -> None:
    socket = await connect(await make(make_office)(), endpoint="office")
    await change(*range(1, 301))
    await until(hub, 300)
    await wait_for_async(lambda: len(socket.frames) >= 301)
    assert socket.closed_with == []
    socket.leave()
    await socket.task


@pytest.mark.sqlite
async def test_lone_surrogate_is_refused_and_the_socket_stays_open(hub: Hub) -> None:
    socket = await connect(await make(make_office)())
    socket.send_text('{"type": "nonsense", "ref": "\\ud800"}')
    assert (await socket.until("error"))["code"] == "invalid_json"
    socket.send_text('{"type": "heartbeat"}')
    assert await socket.until("heartbeat")
    socket.leave()
    await socket.task


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [
        ("&".join(f"a{number}=1" for number in range(30)), {}, "invalid_query"),
        ("", {"origin": b"http://["}, "origin_not_allowed"),
        ("", {"origin": b"\xff"}, "origin_not_allowed"),
    ],
)
async def test_invalid_handshake_gets_a_readable_error(
    hub: Hub, query: str, headers: dict[str, bytes], code: str
) -> None:
    socket = Socket("ws", query, headers)
    assert (await socket.until("error"))["code"] == code
    assert socket.closed_with == [4403]
    socket.leave()
    await socket.task


@pytest.mark.sqlite
async def test_driver_gets_no_events_of_an_order_reassigned_while_connecting(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = await make(make_driver)(), await make(make_driver)()
    order = await make(make_order)(OrderStatus.ASSIGNED, driver=old)
    await until(hub, 1)
    await asyncio.sleep(0.3)
    can_resume = Hub.can_resume

    async def slow(self: Hub, *args: Any) -> bool:
        await make(order.assign)(new)
        await asyncio.sleep(0.3)
        return await can_resume(self, *args)

    monkeypatch.setattr(Hub, "can_resume", slow)
    socket = await connect(old.user, f"&since={hub.cursor}&channels=order:{order.pk}")
    await make(order.transition_to)(OrderStatus.DELIVERING)
    await asyncio.sleep(0.5)
    assert "delivering" not in {frame.get("data", {}).get("status") for frame in socket.frames}
    assert not any(f"driver:{new.pk}" in json.dumps(frame) for frame in socket.frames)
    socket.leave()
    await socket.task


@pytest.mark.sqlite
async def test_office_user_who_drives_still_gets_events_of_a_reassigned_order(hub: Hub) -> None:
    driver = await make(make_driver)(user=await make(make_office)())
    order = await make(make_order)(OrderStatus.ASSIGNED, driver=driver)
    await asyncio.sleep(0.3)
    socket = await connect(driver.user, f"&channels=order:{order.pk}", endpoint="office")
    await make(order.assign)(await make(make_driver)())
    await make(order.transition_to)(OrderStatus.DELIVERING)
    seen = (f"order:{order.pk}", "delivering")
    await wait_for_async(
        lambda: seen in [(frame.get("channel"), frame.get("data", {}).get("status")) for frame in socket.frames]
    )
    socket.leave()
    await socket.task


@pytest.mark.sqlite
async def test_replay_slower_than_new_events_closes_the_socket(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    await change(1, 2, 3)
    await until(hub, 3)

    def raise_cursor_gone(*args: Any) -> list[Any]:
        raise CursorGone

    monkeypatch.setattr(hub, "missed_events", raise_cursor_gone)
    socket = await connect(await make(make_office)(), "&since=1", endpoint="office")
    await wait_for_async(lambda: socket.closed_with)
    assert (socket.closed_with, hub.readers.open) == ([1012], set())
    socket.leave()
    await socket.task


@pytest.mark.sqlite
async def test_replay_time_does_not_count_as_silence(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    can_resume, began = Hub.can_resume, monotonic()

    async def slow(self: Hub, *args: Any) -> bool:
        await asyncio.sleep(0.2)
        return await can_resume(self, *args)

    monkeypatch.setattr(Hub, "can_resume", slow)
    socket = await connect(await make(make_office)(), "&since=0")
    await asyncio.sleep(0.05)
    (reader,) = hub.readers.open
    assert reader.last_message_at >= began + 0.2
    socket.leave()
    await socket.task


@pytest.mark.sqlite
async def test_metrics_count_sockets_messages_and_errors(hub: Hub) -> None:
    office = await make(make_office)()
    await change(1)
    await until(hub, 1)
    before = current_counts()
    for query, code in (("", 1000), ("&since=0", 4999), ("&since=99", None)):
        socket = await connect(office, query)
        socket.send_text("{")
        assert (await socket.until("error"))["code"] == "invalid_json"
        socket.incoming.put_nowait({"type": "websocket.disconnect", "code": code})
        await socket.task
    refused = Socket("ws", "token=nonsense")
    await refused.until("error")
    refused.leave()
    await refused.task
    found = growth(current_counts(), before)
    assert 0 < found.pop("luckygas_websocket_open_seconds_sum") < 60
    begins = "luckygas_websocket_"
    assert {name.removeprefix(begins): count for name, count in found.items() if name.startswith(begins)} == {
        "messages_total": 3, "connects_total": 3, "reconnects_total true": 1, "reconnects_total false": 1,
        "open_seconds_count": 3, "disconnects_total 1000": 1, "disconnects_total other": 1, "disconnects_total 1005": 1,
        "errors_total invalid_json": 3, "errors_total token_not_valid": 1,
    }  # fmt: skip


# An order changes hands while its driver or link holder connects.


async def end_of_log() -> int:
    """The end of the log once the outbox is empty. A call of `assign_event_ids` stops if the hub holds the lock."""
    while await make(Outbox.objects.exists)():
        await make(log.assign_event_ids)()
    return (await make(log.head)()).seq


async def test_resuming_driver_gets_events_of_order_reassigned_and_returned_while_away(hub: Hub) -> None:
    driver, other = await make(make_driver)(), await make(make_driver)()
    order = await make(make_order)(OrderStatus.ASSIGNED, driver=driver)
    before = await end_of_log()
    await make(order.assign)(other)
    await make(order.assign)(driver)
    socket = await connect(driver.user, f"&since={before}&channels=order:{order.pk}")
    await make(order.transition_to)(OrderStatus.DELIVERING)
    assert (await socket.until("order.status_changed"))["data"]["status"] == OrderStatus.DELIVERING


@pytest.mark.parametrize("resumes", [True, False])
async def test_driver_gets_events_of_order_reassigned_and_returned_while_connecting(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, resumes: bool
) -> None:
    driver, other = await make(make_driver)(), await make(make_driver)()
    order, not_requested = [await make(make_order)(OrderStatus.ASSIGNED, driver=driver) for _ in range(2)]
    since = f"&since={await end_of_log()}" if resumes else ""
    requested_channels = commands.requested_channels

    async def reassign_meanwhile(*args: Any) -> tuple[list[str], list[str]]:
        answer = await requested_channels(*args)
        for each in (order, not_requested):
            await make(each.assign)(other)
        await until(hub, await end_of_log())
        return answer

    monkeypatch.setattr(commands, "requested_channels", reassign_meanwhile)
    socket = await connect(driver.user, f"&channels=order:{order.pk}{since}")
    for status in (OrderStatus.DELIVERING, OrderStatus.ASSIGNED):  # while the other driver has it
        await make(order.transition_to)(status)
    for each in (not_requested, order):
        await make(each.assign)(driver)
        await make(each.transition_to)(OrderStatus.DELIVERING)
    await socket.until("order.status_changed")
    moves = [frame["data"] for frame in socket.frames if frame["type"] == "order.status_changed"]
    assert [(data["status"], data["previous_status"]) for data in moves] == [("delivering", "assigned")]
    assert moves[0]["version"] == order.version


async def test_link_is_refused_if_the_customer_changes_while_connecting(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, identify = await make(make_order)(OrderStatus.ASSIGNED, driver=await make(make_driver)()), auth.identify

    async def change_customer_meanwhile(*args: Any) -> channels.Identity:
        identity = await identify(*args)
        order.customer = await make(make_customer)()
        await make(order.save)()
        await until(hub, await end_of_log())
        return identity

    monkeypatch.setattr(consumer, "identify", change_customer_meanwhile)
    socket = Socket("track", link=order.tracking_token)
    async with asyncio.timeout(5):
        while socket.closed_with != [4401]:
            await asyncio.sleep(0.01)
    await make(order.transition_to)(OrderStatus.DELIVERING)
    await until(hub, await end_of_log())
    assert [frame["code"] for frame in socket.frames] == ["rights_ended"]


async def test_resume_skips_events_from_while_another_driver_had_the_order(hub: Hub) -> None:
    driver, other = await make(make_driver)(), await make(make_driver)()
    order = await make(make_order)(OrderStatus.ASSIGNED, driver=driver)
    await make(order.assign)(other)
    before = await end_of_log()
    for status in (OrderStatus.DELIVERING, OrderStatus.ASSIGNED):  # while the other driver has it
        await make(order.transition_to)(status)
    await make(order.assign)(driver)
    await until(hub, await end_of_log())
    socket = await connect(driver.user, f"&since={before}&channels=order:{order.pk}")
    await make(order.transition_to)(OrderStatus.DELIVERING)
    await socket.until("order.status_changed")
    orders = [frame for frame in socket.frames if frame["type"].startswith("order.")]
    assert [frame["data"]["version"] for frame in orders] == [order.version - 1, order.version]
