from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from realtime.auth import may_use_session


def scope(origin: str | bytes, host: str = "gas.example.tw", scheme: str = "ws", **headers: str) -> dict[str, Any]:
    said = origin.encode() if isinstance(origin, str) else origin
    found = [(b"origin", said), (b"host", host.encode())]
    found += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "websocket", "path": "/", "scheme": scheme, "query_string": b"", "headers": found}


@pytest.fixture(autouse=True)
def _site(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["gas.example.tw", "127.0.0.1", "[::1]"]


@pytest.mark.parametrize(
    ("origin", "host", "scheme"),
    [
        ("http://gas.example.tw", "gas.example.tw", "ws"),
        ("http://GAS.example.tw", "gas.example.tw", "ws"),
        ("http://gas.example.tw:80", "gas.example.tw", "ws"),
        ("http://gas.example.tw", "gas.example.tw:80", "ws"),
        ("https://gas.example.tw", "gas.example.tw", "wss"),
        ("https://gas.example.tw", "gas.example.tw:443", "wss"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "ws"),
        ("http://[::1]:8000", "[::1]:8000", "ws"),
    ],
)
def test_a_page_of_this_site_may(origin: str, host: str, scheme: str) -> None:
    assert may_use_session(scope(origin, host, scheme))


@pytest.mark.parametrize(
    ("origin", "host", "scheme"),
    [
        ("https://127.0.0.1:8000", "127.0.0.1:8000", "ws"),
        ("http://127.0.0.1:8001", "127.0.0.1:8000", "ws"),
        ("http://127.0.0.1", "127.0.0.1:8000", "ws"),
        ("http://localhost:8000", "127.0.0.1:8000", "ws"),
        ("https://gas.example.tw", "gas.example.tw", "ws"),
        ("http://gas.example.tw", "gas.example.tw", "wss"),
        ("https://gas.example.tw:8443", "gas.example.tw", "wss"),
        ("ftp://gas.example.tw", "gas.example.tw", "ws"),
        ("http://evil.example", "evil.example", "ws"),
        ("http://gas.example.tw.evil.example", "gas.example.tw", "ws"),
        ("http://evil.example@gas.example.tw:99999", "gas.example.tw", "ws"),
        ("http://[", "gas.example.tw", "ws"),
        ("null", "gas.example.tw", "ws"),
        ("gas.example.tw", "gas.example.tw", "ws"),
        ("", "gas.example.tw", "ws"),
        (b"\xff\xfe", "gas.example.tw", "ws"),
    ],
)
def test_another_scheme_host_or_port_may_not(origin: str | bytes, host: str, scheme: str) -> None:
    assert not may_use_session(scope(origin, host, scheme))


def test_no_origin_is_no_page_of_ours() -> None:
    said = scope("")
    said["headers"] = said["headers"][1:]
    assert not may_use_session(said)


def test_behind_a_proxy_the_scheme_is_the_one_it_says(settings: Settings) -> None:
    secure, plain = ({"x_forwarded_proto": scheme} for scheme in ("https", "http"))
    assert not may_use_session(scope("https://gas.example.tw", **secure))  # nobody believes it yet
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert may_use_session(scope("https://gas.example.tw", **secure))
    assert not may_use_session(scope("http://gas.example.tw", **secure))
    assert not may_use_session(scope("https://gas.example.tw", **plain))


def test_a_trusted_origin_may_and_its_neighbours_may_not(settings: Settings) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://office.example.tw:8443", "https://*.depot.example.tw"]
    for origin in ("https://office.example.tw:8443", "https://a.depot.example.tw", "https://a.b.depot.example.tw:443"):
        assert may_use_session(scope(origin)), origin
    for origin in (
        "https://office.example.tw", "http://office.example.tw:8443", "http://a.depot.example.tw",
        "https://a.depot.example.tw:8443", "https://evildepot.example.tw",
    ):  # fmt: skip
        assert not may_use_session(scope(origin)), origin
