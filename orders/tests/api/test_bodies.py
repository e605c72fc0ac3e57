"""The middleware, and bodies of unknown length through the real ASGI application."""

from __future__ import annotations

import json

import pytest
from channels.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.test import RequestFactory

from orders.api.bodies import BoundedBodies
from orders.tests.api.client import V1


def status_of(path: str, length: str) -> int:
    request = RequestFactory().post(path, CONTENT_LENGTH=length)
    return BoundedBodies(lambda _: HttpResponse(status=204))(request).status_code


@pytest.mark.parametrize(("length", "status"), [("2621440", 204), ("2621441", 413), ("9" * 5000, 413), ("", 204)])
def test_the_length_that_is_said_decides(length: str, status: int) -> None:
    assert status_of("/api/v1/orders/", length) == status


def test_other_parts_of_the_site_have_their_own_limits() -> None:
    assert status_of("/admin/", "9999999") == 204


async def post_chunked(path: str, chunks: list[bytes]) -> tuple[int, list[tuple[str, str | None]]]:
    headers = {"host": "localhost", "content-type": "application/json", "transfer-encoding": "chunked"}
    scope = {
        "type": "http", "method": "POST", "path": path, "query_string": b"", "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    app = ApplicationCommunicator(get_asgi_application(), scope)
    for chunk in chunks:
        await app.send_input({"type": "http.request", "body": chunk, "more_body": True})
    await app.send_input({"type": "http.request", "body": b"", "more_body": False})
    start, body = await app.receive_output(10), await app.receive_output(10)
    await app.wait()
    errors = json.loads(body["body"])["errors"]
    return start["status"], [(error["code"], error["attr"]) for error in errors]


async def test_a_chunked_body_is_read() -> None:
    assert await post_chunked(V1 + "auth/token/", [b'{"usern', b'ame": "ling"}']) == (400, [("required", "password")])


async def test_a_chunked_body_that_is_too_large_is_413() -> None:
    chunk = b" " * 65_536
    assert await post_chunked(V1 + "auth/token/", [chunk] * 41) == (413, [("too_large", None)])
