"""The API refuses request bodies that are not JSON, cannot be stored, or are too large."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from channels.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from rest_framework.exceptions import ParseError

from orders.tests.api.client import V1, Api, codes, make_api
from web.api.bodies import MAX_PAGE_BYTES, BoundedBodies
from web.api.exceptions import TooLarge
from web.api.parsers import StrictJSONParser

MAX_BYTES = 2_621_440


def parse(body: bytes) -> Any:
    return StrictJSONParser().parse(io.BytesIO(body))


def test_json_is_parsed() -> None:
    assert parse('{"名": [1, 2.5, null, "😀"]}'.encode()) == {"名": [1, 2.5, None, "😀"]}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nonsense", b"{'a': 1}", b"\xff\xfe{}", '{"名": 1}'.encode("big5"), b'{"a": NaN}', b"[Infinity]",
        b"-Infinity", b"[1e999]", b'"\\u0000"', b'{"a\\u0000": 1}', b'["\\ud800"]', b"[" * 100_000,
        b"1" * 5000, b'{"a": 1} x',
    ],
)  # fmt: skip
def test_invalid_or_unstorable_json_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse(body)


def test_parser_refuses_a_body_that_is_too_large() -> None:
    with pytest.raises(TooLarge):
        parse(b" " * (MAX_BYTES + 1))


def test_the_largest_body_is_parsed() -> None:
    assert parse(b'"' + b"x" * (MAX_BYTES - 2) + b'"') == "x" * (MAX_BYTES - 2)


@pytest.mark.django_db
@pytest.mark.parametrize("body", [b"{", b"[NaN]", b'"\\u0000"'])
def test_a_body_that_is_no_json_is_400(body: bytes) -> None:
    answer = make_api("office").client.post(V1 + "orders/", body, content_type="application/json")
    assert (answer.status_code, codes(answer)) == (400, [("parse_error", None)])


@pytest.mark.django_db
@pytest.mark.parametrize("body", ["null", "[]", "[[]]", '"x"', "17", "true"])
def test_a_body_that_is_no_object_is_400(body: str) -> None:
    for path in ("orders/", "orders/bulk-update/", "customers/", "auth/token/"):
        answer = make_api("office").client.post(V1 + path, body, content_type="application/json")
        assert (answer.status_code, len(codes(answer))) == (400, 1), (path, answer.content)


def test_a_large_body_is_413() -> None:
    answer = Api().client.post(V1 + "auth/token/", b"x" * (MAX_BYTES + 1), content_type="application/json")
    assert (answer.status_code, codes(answer)) == (413, [("too_large", None)])


# The tests below send bodies through the ASGI application. A body that is too large is not read beyond the limit.


TOKEN = V1 + "auth/token/"
CHUNK = b" " * 65_536


async def post(path: str, chunks: list[bytes], **headers: str) -> tuple[int, bytes]:
    """Status and body of the response. The request ends after `chunks`; without chunks it never ends."""
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
async def test_too_large_content_length_is_refused_unread(length: str, type_: str) -> None:
    status, body = await post(TOKEN, [], content_length=length, content_type=type_)
    assert (status, errors(body)) == (413, [("too_large", None)])


async def test_largest_content_length_is_accepted() -> None:
    status, _ = await post(TOKEN, [b"{}" + b" " * 2_621_438], content_length="2621440")
    assert status == 400


async def test_chunked_body_is_accepted() -> None:
    status, body = await post(TOKEN, [b'{"usern', b'ame": "ling"}'], transfer_encoding="chunked")
    assert (status, errors(body)) == (400, [("required", "password")])


async def test_too_large_chunked_body_is_refused_at_the_limit() -> None:
    chunks = [CHUNK] * 400
    status, body = await post(TOKEN, chunks, transfer_encoding="chunked")
    assert (status, errors(body)) == (413, [("too_large", None)])


async def test_body_longer_than_its_content_length_is_refused() -> None:
    status, _ = await post(TOKEN, [CHUNK] * 41, content_length="10")
    assert status == 413


async def test_refusal_is_in_the_clients_language() -> None:
    english, chinese = [
        await post(TOKEN, [], content_length="9" * 9, accept_language=language) for language in ("en", "zh-TW")
    ]
    assert english != chinese


async def test_page_request_larger_than_an_upload_is_refused() -> None:
    status, body = await post("/admin/", [], content_length=str(MAX_PAGE_BYTES + 1))
    assert (status, body) == (413, b"The request is too large. Please send it in smaller parts.")


@pytest.mark.django_db
async def test_chunked_page_request_of_five_megabytes_is_accepted() -> None:
    status, _ = await post("/nowhere/", [CHUNK] * 80, transfer_encoding="chunked")
    assert status in (403, 404)
