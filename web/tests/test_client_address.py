from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from web import throttling


def set_proxies(settings: Any, proxies: int) -> None:
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": proxies}


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "", "203.0.113.7"),
        (0, "192.0.2.1", "203.0.113.7"),
        (1, "", "203.0.113.7"),
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "10.0.0.1, 192.0.2.1", "192.0.2.1"),
        (2, "10.0.0.1, 192.0.2.1, 198.51.100.1", "192.0.2.1"),
        (2, "192.0.2.1", "192.0.2.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (1, "::ffff:192.0.2.1", "192.0.2.1"),
        (1, "unknown", None),
        (1, "192.0.2.1:8080", None),
    ],
)
def test_forwarded_header_is_trusted_only_from_our_proxies(
    settings: Any, proxies: int, forwarded: str, address: str | None
) -> None:
    set_proxies(settings, proxies)
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.7", headers=headers)
    scope = {
        "client": ["203.0.113.7", 50000],
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    assert throttling.address_of(request) == throttling.address_of_scope(scope) == address


def test_unix_socket_has_no_client_address() -> None:
    assert throttling.address_of_scope({"client": None, "headers": []}) is None
