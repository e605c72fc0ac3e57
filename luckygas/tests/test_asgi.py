"""Requests through the application as a server calls it."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.testing import ApplicationCommunicator

from luckygas.asgi import application


async def get(where: str, **headers: str) -> tuple[int, dict[str, str]]:
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": where, "query_string": b"", "http_version": "1.1",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    scope["headers"].append((b"host", b"localhost"))
    asked = ApplicationCommunicator(application, scope)
    await asked.send_input({"type": "http.request", "body": b"", "more_body": False})
    start = await asked.receive_output(10)
    while (await asked.receive_output(10)).get("more_body"):
        pass
    await asked.wait()
    return start["status"], {name.decode().title(): value.decode() for name, value in start["headers"]}


async def test_static_files_are_served_where_none_were_collected() -> None:
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
