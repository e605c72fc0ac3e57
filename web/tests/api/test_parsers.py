"""Bodies: what is no JSON, cannot be stored, or is too large."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rest_framework.exceptions import ParseError

from orders.tests.api.client import V1, Api, codes, make_api
from web.api.exceptions import TooLarge
from web.api.parsers import StrictJSONParser

MOST = 2_621_440


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
def test_what_cannot_be_stored_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse(body)


def test_the_parser_counts_what_it_reads() -> None:
    with pytest.raises(TooLarge):
        parse(b" " * (MOST + 1))


def test_the_largest_body_is_parsed() -> None:
    assert parse(b'"' + b"x" * (MOST - 2) + b'"') == "x" * (MOST - 2)


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
    answer = Api().client.post(V1 + "auth/token/", b"x" * (MOST + 1), content_type="application/json")
    assert (answer.status_code, codes(answer)) == (413, [("too_large", None)])
