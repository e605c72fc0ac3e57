from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.utils import timezone
from pytest_django import Settings

from orders.states import OrderStatus
from orders.tests.factories import make_driver, make_office, make_order, make_user
from orders.tests.threads import run_concurrently
from realtime import auth
from realtime.auth import may_use_session
from realtime.models import WebSocketTicket
from realtime.tests.client import token_for
from web.refusals import Refusal

pytestmark = pytest.mark.django_db


def test_token_identifies_the_user_without_a_query(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    driver = make_driver()
    token = token_for(driver.user)
    with django_assert_num_queries(0):
        identity = auth.identity_of_token(token)
    assert (identity.user_id, identity.role, identity.driver_id) == (driver.user_id, "driver", driver.pk)
    assert identity.expires_at is not None


def test_expired_token_is_refused() -> None:
    token = token_for(make_office())
    with time_machine.travel(timezone.now() + timedelta(hours=1)), pytest.raises(Refusal, match=r"."):
        auth.identity_of_token(token)


def test_refresh_token_is_refused() -> None:
    from rest_framework_simplejwt.tokens import RefreshToken

    with pytest.raises(Refusal):
        auth.identity_of_token(str(RefreshToken.for_user(make_office())))


def test_ticket_works_once_and_only_its_hash_is_stored() -> None:
    user = make_office()
    ticket = auth.new_ticket(user)
    assert ticket not in str(WebSocketTicket.objects.values().get())
    assert auth.identity_of_ticket(ticket).user_id == user.pk
    with pytest.raises(Refusal):
        auth.identity_of_ticket(ticket)


def scope_of(query: str, address: str = "203.0.113.5") -> dict[str, object]:
    return {"query_string": query.encode(), "headers": [], "client": (address, 50_000), "url_route": {"kwargs": {}}}


def identify(query: str, **scope: str) -> str:
    """Authenticates a handshake. Returns the role, or the refusal's code and close code."""
    try:
        return str(async_to_sync(auth.identify)(scope_of(query, **scope), "ws").role)
    except Refusal as refusal:
        return f"{refusal.code} {refusal.status}"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wrong", ["ticket=wrong", "token=wrong"])
def test_wrong_tickets_and_tokens_are_throttled_without_a_query(
    rates: Callable[..., None],
    django_assert_num_queries: Any,
    wrong: str,
) -> None:
    rates(wrong_secret="2/h")
    user = make_office()
    ticket, elsewhere, token = auth.new_ticket(user), auth.new_ticket(user), token_for(user)
    assert {identify(wrong) for _ in range(2)} <= {"ticket_not_valid 4401", "token_not_valid 4401"}
    assert identify(wrong) == "rate_limited 4429"
    with django_assert_num_queries(0):
        assert identify("ticket=other") == "rate_limited 4429"
        assert identify(f"ticket={ticket}") == "rate_limited 4429"
        assert identify(f"token={token}") == "office"
    assert identify(f"ticket={elsewhere}", address="203.0.113.6") == "office"


def test_ticket_expires_after_30_seconds_and_the_next_one_deletes_it() -> None:
    ticket = auth.new_ticket(make_office())
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        with pytest.raises(Refusal):
            auth.identity_of_ticket(ticket)
        auth.new_ticket(make_office())
        assert WebSocketTicket.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_uses_of_one_ticket_admit_one() -> None:
    outcomes = run_concurrently(auth.identity_of_ticket, [auth.new_ticket(make_office())] * 8)
    assert outcomes.count("ticket_not_valid") == 7


def test_ticket_of_deactivated_account_is_refused() -> None:
    user = make_user()
    ticket = auth.new_ticket(user)
    user.is_active = False
    user.save()
    with pytest.raises(Refusal):
        auth.identity_of_ticket(ticket)


def test_link_works_until_a_day_after_delivery() -> None:
    order = make_order(OrderStatus.DELIVERED)
    assert auth.identity_of_link(order.tracking_token, None).tracked_order_id == order.pk
    with time_machine.travel(timezone.now() + timedelta(hours=25)), pytest.raises(Refusal):
        auth.identity_of_link(order.tracking_token, None)


def test_links_are_throttled_by_client_ip(rates: Callable[..., None]) -> None:
    rates(track_socket="3/h")
    order = make_order()
    for token in ("guessed", "also guessed", order.tracking_token):
        with suppress(Refusal):
            auth.identity_of_link(token, "203.0.113.7")
    with pytest.raises(Refusal) as refused:
        auth.identity_of_link(order.tracking_token, "203.0.113.7")
    assert (refused.value.code, refused.value.status) == ("rate_limited", 4429)
    assert auth.identity_of_link(order.tracking_token, "198.51.100.9").tracked_order_id == order.pk


def browser_scope(
    origin: str | bytes, host: str = "gas.example.tw", scheme: str = "ws", **headers: str
) -> dict[str, Any]:
    raw = origin.encode() if isinstance(origin, str) else origin
    fields = [(b"origin", raw), (b"host", host.encode())]
    fields += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "websocket", "path": "/", "scheme": scheme, "query_string": b"", "headers": fields}


@pytest.fixture
def _site(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["gas.example.tw", "127.0.0.1", "[::1]"]


@pytest.mark.usefixtures("_site")
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
def test_page_of_this_site_may_use_the_session(origin: str, host: str, scheme: str) -> None:
    assert may_use_session(browser_scope(origin, host, scheme))


@pytest.mark.usefixtures("_site")
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
def test_other_scheme_host_or_port_may_not_use_the_session(origin: str | bytes, host: str, scheme: str) -> None:
    assert not may_use_session(browser_scope(origin, host, scheme))


@pytest.mark.usefixtures("_site")
def test_missing_origin_may_not_use_the_session() -> None:
    without = browser_scope("")
    without["headers"] = without["headers"][1:]
    assert not may_use_session(without)


@pytest.mark.usefixtures("_site")
def test_scheme_comes_from_the_trusted_proxy(settings: Settings) -> None:
    secure, plain = ({"x_forwarded_proto": scheme} for scheme in ("https", "http"))
    assert not may_use_session(browser_scope("https://gas.example.tw", **secure))  # the proxy is not trusted yet
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert may_use_session(browser_scope("https://gas.example.tw", **secure))
    assert not may_use_session(browser_scope("http://gas.example.tw", **secure))
    assert not may_use_session(browser_scope("https://gas.example.tw", **plain))


@pytest.mark.usefixtures("_site")
def test_trusted_origins_may_use_the_session_and_similar_ones_may_not(settings: Settings) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://office.example.tw:8443", "https://*.depot.example.tw"]
    for origin in ("https://office.example.tw:8443", "https://a.depot.example.tw", "https://a.b.depot.example.tw:443"):
        assert may_use_session(browser_scope(origin)), origin
    for origin in (
        "https://office.example.tw", "http://office.example.tw:8443", "http://a.depot.example.tw",
        "https://a.depot.example.tw:8443", "https://evildepot.example.tw",
    ):  # fmt: skip
        assert not may_use_session(browser_scope(origin)), origin
