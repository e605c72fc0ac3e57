"""Headers that nobody means: a session that Django never gave, a charset that is none. None is a fault of ours."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.test import Client
from django.urls import reverse

from orders.tests.factories import make_office
from web.api.bodies import known, with_charset

pytestmark = pytest.mark.django_db
# As cookies write them: an octal number stands for its byte (RFC 2109).
NUL, SHORT = r'"aaaaaaaaaaaaaaaaaaaa\000aaaaaaaaaaa"', r'"\000"'
PAGES = ["/", "/accounts/login/", "/admin/orders/order/", "/nowhere/", "/api/v1/orders/", "/health/live", "/words.js"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("cookie", [NUL, SHORT, r'"\351\240\200aaaaaaaaaa"', "../../../../etc/passwd"])
def test_a_session_that_was_never_given_is_none(page: str, cookie: str) -> None:
    client = Client(enforce_csrf_checks=True, headers={"cookie": f"sessionid={cookie}"})
    assert client.get(page).status_code in (200, 302, 401, 404)
    assert client.post(page).status_code in (401, 403, 404)


def test_with_an_impossible_session_one_signs_in(client: Client) -> None:
    office = make_office()
    office.set_password("right-password")
    office.save()
    client.cookies["sessionid"] = "aaaaaaaaaaaaaaaa\0aaaaaaaa"
    answer = client.post(reverse("login"), {"username": office.username, "password": "right-password"})
    assert answer.status_code == 302
    assert client.get(reverse("home")).status_code == 200


async def posted(charset: str, value: bytes) -> str:
    """The field `name` of a form with parts, as a view reads it."""
    body = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n' + value + b"\r\n--b--\r\n"
    headers = [
        (b"host", b"testserver"),
        (b"content-type", f"multipart/form-data; charset={charset}; boundary=b".encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    read: list[str] = []

    async def site(scope: Any, receive: Any, send: Any) -> None:
        read.append(ASGIRequest(scope, BytesIO(body)).POST["name"])

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    await with_charset(site)(scope, None, None)
    return read[0]


@pytest.mark.parametrize("charset", ["hex", "rot13", "zlib", "idna", "punycode", "undefined", "none", "\0"])
async def test_text_in_what_is_no_charset_is_utf_8(charset: str) -> None:
    assert await posted(charset, "王".encode()) == "王"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("text/plain; charset*=foo''%41", "text/plain"),
        ("text/plain; a*=foo''%41; charset=utf-8", "text/plain"),
        ('text/plain; charset="he;x"; a=b', "text/plain; a=b"),
        (r'text/plain; charset="h\"e;x"; a=b', "text/plain; a=b"),
        ("text/plain; charset*0=he; charset*1=x; a=b", "text/plain; a=b"),
    ],
)
def test_a_charset_that_is_none_is_left_out_whole(said: str, left: str) -> None:
    assert known(said.encode()) == left.encode()


async def test_another_charset_is_still_read() -> None:
    assert await posted("big5", "王".encode("big5")) == "王"
