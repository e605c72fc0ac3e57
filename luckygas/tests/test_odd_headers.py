"""Headers that nobody means: a session that Django never gave, a charset that is none. None is a fault of ours."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.test import Client
from django.urls import reverse

from luckygas.handler import Handler
from orders.tests.factories import make_office

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


def posted(charset: str, value: bytes) -> str:
    """The field `name` of a form with parts, as a view reads it."""
    body = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n' + value + b"\r\n--b--\r\n"
    headers = [
        (b"host", b"testserver"),
        (b"content-type", f"multipart/form-data; boundary=b; charset={charset}".encode()),
    ]
    headers.append((b"content-length", str(len(body)).encode()))
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    request, _refused = Handler().create_request(scope, BytesIO(body))
    assert request is not None
    return request.POST["name"]


@pytest.mark.parametrize("charset", ["hex", "rot13", "zlib", "idna", "punycode", "undefined", "none", "\0"])
def test_text_in_what_is_no_charset_is_utf_8(charset: str) -> None:
    assert posted(charset, "王".encode()) == "王"


def test_another_charset_is_still_read() -> None:
    assert posted("big5", "王".encode("big5")) == "王"
