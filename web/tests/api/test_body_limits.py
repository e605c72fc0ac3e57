"""Bodies through the real ASGI application: what is too large is neither read nor kept on the disk."""

from __future__ import annotations

import json
from typing import Any

import pytest
from channels.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application

from orders.tests.api.client import V1
from web.api.bodies import MOST_OF_PAGES, BoundedBodies

TOKEN = V1 + "auth/token/"
CHUNK = b" " * 65_536


async def post(path: str, chunks: list[bytes], **headers: str) -> tuple[int, bytes]:
    """Status and body of the answer; the last of `chunks` ends the request, none: it never ends."""
    usual = {"host": "localhost", "content_type": "application/json", "accept_language": "en"}
    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": path, "query_string": b"", "http_version": "1.1",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in (usual | headers).items()],
    }  # fmt: skip
    app = ApplicationCommunicator(BoundedBodies(get_asgi_application()), scope)
    for chunk in chunks:
        await app.send_input({"type": "http.request", "body": chunk, "more_body": True})
    if chunks:
        await app.send_input({"type": "http.request", "body": b"", "more_body": False})
    start, body = await app.receive_output(10), await app.receive_output(10)
    await app.wait()
    return start["status"], body["body"]


def errors(body: bytes) -> list[tuple[str, str | None]]:
    return [(error["code"], error["attr"]) for error in json.loads(body)["errors"]]


@pytest.mark.parametrize("length", ["2621441", "9" * 5000])
@pytest.mark.parametrize("type_", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
async def test_a_length_that_is_too_large_is_refused_unread(length: str, type_: str) -> None:
    status, body = await post(TOKEN, [], content_length=length, content_type=type_)
    assert (status, errors(body)) == (413, [("too_large", None)])


async def test_the_largest_length_is_read() -> None:
    status, _ = await post(TOKEN, [b"{}" + b" " * 2_621_438], content_length="2621440")
    assert status == 400


async def test_a_chunked_body_is_read() -> None:
    status, body = await post(TOKEN, [b'{"usern', b'ame": "ling"}'], transfer_encoding="chunked")
    assert (status, errors(body)) == (400, [("required", "password")])


async def test_a_chunked_body_that_is_too_large_is_refused_where_it_is() -> None:
    heard = [CHUNK] * 400
    status, body = await post(TOKEN, heard, transfer_encoding="chunked")
    assert (status, errors(body)) == (413, [("too_large", None)])


async def test_a_length_that_was_a_lie_does_not_help() -> None:
    status, _ = await post(TOKEN, [CHUNK] * 41, content_length="10")
    assert status == 413


async def test_a_refusal_speaks_the_clients_language() -> None:
    said = [await post(TOKEN, [], content_length="9" * 9, accept_language=language) for language in ("en", "zh-TW")]
    assert said[0] != said[1]


async def test_pages_take_a_sheet_and_not_more() -> None:
    status, body = await post("/admin/", [], content_length=str(MOST_OF_PAGES + 1))
    assert (status, body) == (413, b"The request is too large; send it in smaller parts.")


@pytest.mark.django_db
async def test_a_sheet_is_taken() -> None:
    status, _ = await post("/nowhere/", [CHUNK] * 80, transfer_encoding="chunked")
    assert status in (403, 404)
