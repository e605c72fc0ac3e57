"""Requests through the handler as a server calls it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import ApplicationCommunicator
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from luckygas.handler import Handler

threads: list[int] = []


def noting_thread(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        threads.append(threading.get_ident())
        return get_response(request)

    return middleware


def view(request: HttpRequest) -> HttpResponse:
    threads.append(threading.get_ident())
    return HttpResponse("answered")


urlpatterns = [path("", view)]


async def get(where: str, handler: Handler | None = None, **headers: str) -> tuple[int, dict[str, str]]:
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": where, "query_string": b"", "http_version": "1.1",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    scope["headers"].append((b"host", b"localhost"))
    asked = ApplicationCommunicator(handler or Handler(), scope)
    await asked.send_input({"type": "http.request", "body": b"", "more_body": False})
    start = await asked.receive_output(10)
    while (await asked.receive_output(10)).get("more_body"):
        pass
    await asked.wait()
    return start["status"], {name.decode().title(): value.decode() for name, value in start["headers"]}


async def test_static_files_are_served_where_none_were_collected(tmp_path: Path, settings: Any) -> None:
    settings.STATIC_ROOT = tmp_path / "absent"
    status, headers = await get("/static/web/site.css")
    assert (status, headers["X-Content-Type-Options"]) == (200, "nosniff")


async def test_a_browser_asks_each_time_whether_its_module_is_the_present_one() -> None:
    _, first = await get("/static/realtime/client.js")
    assert first["Cache-Control"] == "max-age=0, public"
    status, _ = await get("/static/realtime/client.js", if_modified_since=first["Last-Modified"])
    assert status == 304


async def test_a_static_file_that_is_not_there_is_a_page_that_is_not_there() -> None:
    status, _ = await get("/static/nothing.css")
    assert status == 404


async def test_requests_at_once_have_ids_of_their_own() -> None:
    ids = [f"request-{number}" for number in range(5)]
    answers = await asyncio.gather(*(get("/health/live", x_request_id=one) for one in ids))
    assert [headers["X-Request-Id"] for _, headers in answers] == ids


async def test_a_request_is_one_threads_from_end_to_end(settings: Any) -> None:
    threads.clear()
    ours = [f"{__name__}.noting_thread"]
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=ours + settings.MIDDLEWARE + ours):
        assert (await get("/"))[0] == 200
    assert len(threads) == 3
    assert set(threads) - {threading.get_ident()} == {threads[0]}


async def test_the_next_request_has_the_same_thread(settings: Any) -> None:
    threads.clear()
    with override_settings(ROOT_URLCONF=__name__):
        handler = Handler()
        for _ in range(3):
            await get("/", handler)
        assert len(set(threads)) == 1
        # Those that come at once have threads of their own.
        await asyncio.gather(*(get("/", handler) for _ in range(5)))
    assert (len(threads), len(set(threads))) == (8, 5)


class Worker(Handler):
    """A request's work stands in its scope."""

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        work = asyncio.create_task(sync_to_async(scope["work"])())
        await asyncio.sleep(0)  # it begins
        if scope.get("hung_up"):  # Django gives the view up and has a signal wait for its thread
            await asyncio.gather(sync_to_async(threads.clear)())
        await work


@pytest.mark.parametrize("hung_up", [True, False])
async def test_a_thread_that_works_for_a_request_given_up_is_not_the_next_ones(hung_up: bool) -> None:
    handler, begun, end = Worker(), threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        end.wait(10)

    scope = {"type": "http", "work": hold, "hung_up": hung_up}
    held = asyncio.create_task(handler(scope, None, None))
    assert await asyncio.to_thread(begun.wait, 10)
    held.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held
    try:
        async with asyncio.timeout(5):
            await handler({"type": "http", "work": threads.clear}, None, None)
    finally:
        end.set()
