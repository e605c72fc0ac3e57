from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import islice
from time import time
from typing import Any

import pytest
from channels.testing import ApplicationCommunicator
from django.apps import apps
from django.contrib import admin
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from prometheus_client import REGISTRY

from luckygas.middleware import observe
from luckygas.tests.depot import Depot, make_depot
from orders.tests.factories import PASSWORD, make_office, make_order, set_switch
from realtime.tests.client import token_for
from web import flags, request_id
from web.api.bodies import remove_unknown_charset, usable_content_type

pytestmark = pytest.mark.django_db


HEADER = "X-Request-ID"


def access_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Returns the method, route, path, status and user id of each line in the access log, as far as it has them."""
    lines = [vars(record) for record in caplog.records if record.name == "luckygas.access"]
    names = ("method", "route", "path", "status", "user_id")
    return [{name: line[name] for name in names if name in line} for line in lines]


def request_count(**labels: str) -> float:
    return REGISTRY.get_sample_value("luckygas_http_requests_total", labels) or 0.0


def test_valid_request_id_is_returned_and_an_invalid_one_replaced(client: Client) -> None:
    assert client.get("/health/live", headers={HEADER: "from-the-proxy-1"})[HEADER] == "from-the-proxy-1"
    new_ids = {client.get("/health/live", headers={HEADER: "no\tid"})[HEADER] for _ in range(2)}
    assert len(new_ids) == 2
    assert all(request_id.WELL_FORMED.fullmatch(one) for one in new_ids)


@pytest.mark.parametrize("path", ["/health/live", "/api/v1/orders/", "/nowhere/"])
@pytest.mark.django_db
def test_every_answer_has_server_time(client: Client, path: str) -> None:
    before = time()
    server_time = int(client.get(path)["X-Server-Time"]) / 1000
    assert before - 0.001 <= server_time <= time()


@pytest.mark.django_db
def test_request_is_logged_and_counted_once_by_route(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    order, office = make_order(), make_office()
    before = request_count(method="GET", route="/api/v1/orders/<pk>/", status="200")
    caplog.clear()
    token = token_for(office)
    client.get(f"/api/v1/orders/{order.pk}/?secret=1", headers={"Authorization": f"Bearer {token}"})
    (line,) = access_lines(caplog)
    assert line == {"method": "GET", "route": "/api/v1/orders/<pk>/", "status": 200, "user_id": office.pk}
    assert request_count(method="GET", route="/api/v1/orders/<pk>/", status="200") == before + 1


@pytest.mark.django_db
def test_user_is_logged_if_the_view_needed_it(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    office = make_office()
    client.force_login(office)
    caplog.clear()
    client.get("/orders/new/")
    client.get("/health/live")
    assert [line["user_id"] for line in access_lines(caplog)] == [office.pk, None]


@pytest.mark.django_db
def test_unknown_paths_and_methods_share_a_label(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/wp-admin/" + "x" * 500)
    client.get("/static/nothing.css")
    client.generic("BREW", "/health/live")
    lines = [(line["method"], line["route"], line["status"]) for line in access_lines(caplog)]
    assert lines == [("GET", "unmatched", 404), ("GET", "static", 404), ("other", "/health/live", 200)]
    assert access_lines(caplog)[0]["path"] == ("/wp-admin/" + "x" * 500)[:200]


@pytest.mark.django_db
def test_passwords_are_not_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    office = make_office()
    client.post("/api/v1/auth/token/", {"username": office.username, "password": PASSWORD})
    assert len(access_lines(caplog)) == 1
    assert PASSWORD not in caplog.text + str([vars(record) for record in caplog.records])


def test_request_id_is_bound_during_the_request_only() -> None:
    seen: list[str] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request_id.current())
        return HttpResponse()

    answer = observe(view)(RequestFactory().get("/", headers={HEADER: "abcdefgh"}))
    assert (seen, answer[HEADER], request_id.current()) == (["abcdefgh"], "abcdefgh", "")


def test_uncaught_exception_is_logged_as_500(caplog: pytest.LogCaptureFixture) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError

    caplog.set_level("INFO")
    with pytest.raises(ZeroDivisionError):
        observe(view)(RequestFactory().get("/"))
    assert [line["status"] for line in access_lines(caplog)] == [500]


@pytest.fixture
def site_application() -> Any:
    """The ASGI application. Imported before `caplog` starts, because the import configures logging."""
    from luckygas.asgi import application

    gc.unfreeze()  # undoes gc.freeze() of the import, because other tests count objects
    return application


async def post_large_body(application: Any, **headers: str) -> dict[bytes, bytes]:
    """Posts a body that is too large. Returns the headers of the response."""
    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/orders/", "query_string": b"", "http_version": "1.1",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    communicator = ApplicationCommunicator(application, scope)
    for _ in range(50):
        await communicator.send_input({"type": "http.request", "body": b" " * 65_536, "more_body": True})
    start = await communicator.receive_output(10)
    await communicator.receive_output(10)
    await communicator.wait()
    assert start["status"] == 413
    return dict(start["headers"])


@pytest.mark.parametrize("length_headers", [{"content_length": "9" * 9}, {"transfer_encoding": "chunked"}])
async def test_too_large_body_is_logged_and_counted(
    length_headers: dict[str, str], site_application: Any, caplog: pytest.LogCaptureFixture
) -> None:
    before = request_count(method="POST", route="/api/v1/orders/", status="413")
    headers = await post_large_body(
        site_application, host="localhost", x_request_id="from-the-proxy-1", **length_headers
    )
    assert (headers[b"x-request-id"], headers[b"x-content-type-options"]) == (b"from-the-proxy-1", b"nosniff")
    (line,) = access_lines(caplog)
    assert (line["route"], line["status"]) == ("/api/v1/orders/", 413)
    assert request_count(method="POST", route="/api/v1/orders/", status="413") == before + 1


# Invalid headers (a forged session, an unknown charset) must not cause a 500.


# Cookies encode a byte as an octal number (RFC 2109).
NUL, SHORT = r'"aaaaaaaaaaaaaaaaaaaa\000aaaaaaaaaaa"', r'"\000"'
PAGES = ["/", "/accounts/login/", "/admin/orders/order/", "/nowhere/", "/api/v1/orders/", "/health/live", "/words.js"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("cookie", [NUL, SHORT, r'"\351\240\200aaaaaaaaaa"', "../../../../etc/passwd"])
def test_malformed_session_cookie_gives_no_500(page: str, cookie: str) -> None:
    client = Client(enforce_csrf_checks=True, headers={"cookie": f"sessionid={cookie}"})
    assert client.get(page).status_code in (200, 302, 401, 404)
    assert client.post(page).status_code in (401, 403, 404)


def test_sign_in_works_with_an_invalid_session(client: Client) -> None:
    office = make_office()
    office.set_password("right-password")
    office.save()
    client.cookies["sessionid"] = "aaaaaaaaaaaaaaaa\0aaaaaaaa"
    answer = client.post(reverse("login"), {"username": office.username, "password": "right-password"})
    assert answer.status_code == 302
    assert client.get(reverse("home")).status_code == 200


async def read_multipart_field(charset: str, value: bytes) -> str:
    """Returns the field `name` of a multipart form as a view reads it."""
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
    await remove_unknown_charset(site)(scope, None, None)
    return read[0]


@pytest.mark.parametrize("charset", ["hex", "rot13", "zlib", "idna", "punycode", "undefined", "none", "\0"])
async def test_unknown_charset_is_read_as_utf_8(charset: str) -> None:
    assert await read_multipart_field(charset, "王".encode()) == "王"


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/plain; charset*=foo''%41", "text/plain"),
        ("text/plain; a*=foo''%41; charset=utf-8", "text/plain"),
        ('text/plain; charset="he;x"; a=b', "text/plain; a=b"),
        (r'text/plain; charset="h\"e;x"; a=b', "text/plain; a=b"),
        ("text/plain; charset*0=he; charset*1=x; a=b", "text/plain; a=b"),
    ],
)
def test_unknown_charset_is_removed(content_type: str, expected: str) -> None:
    assert usable_content_type(content_type.encode()) == expected.encode()


async def test_known_charset_is_used() -> None:
    assert await read_multipart_field("big5", "王".encode("big5")) == "王"


# Odd values in URLs of the admin and the site must not cause a 500. The tests try a sample of the URLs.


# Percent-encoded: NUL, broken UTF-8, a lone surrogate, controls, line ends, numbers that fit no column, invalid dates
# and dates at the end of time, patterns, quotes, and long text.
ODD_VALUES = [
    "%00", "x%00y", "1%00", "%FF%FE", "%C3", "%ED%A0%80", "%1B[31m", "%0D%0AX-Evil:%201", "%E2%80%A8", "%E2%80%AE",
    "99999999999999999999", "9" * 400, "-1", "-99999999999999999999", "0", "1e999", "NaN", "1.5", "%EF%BC%91", "true",
    "0000-00-00", "0001-01-01", "9999-12-31", "9999-12-31%2023:59:59%2B14:00", "0001-01-01T00:00:00-14:00", "10000",
    "2026-13-45", "(", "[", "*", "(%3F", "a{99999999}", "%5C", "'", '"', "%25", "_", ",", ",,,", "__", "", "%20",
    "x" * 4000, "None", "null", "..%2F..", "%2F", "%3F", "%23", "%F0%9F%91%8D", "00000000-0000-0000-0000-000000000000",
]  # fmt: skip
DATES = ["year", "month", "day", "gte", "lt", "date", "week", "hour", "isnull", "range", "in", "time", "iso_year"]
LOOKUPS = ["exact", "in", "isnull", "gte", "lt", "contains", "startswith", "regex", "iregex", "range", "nonsense", ""]
ALL_LOOKUPS = [*LOOKUPS, *DATES, "id__exact"]


def patterns(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        path = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from patterns(entry, path)
        else:
            yield path, entry


def routes(prefix: str) -> list[str]:
    """Returns the URL patterns that begin with this prefix, such as `admin/orders/order/<path:object_id>/change/`."""
    return sorted({path for path, _ in patterns(get_resolver()) if path.lstrip("^").startswith(prefix)})


def fill_route(route: str, value: str) -> str:
    """Returns the path of a URL: the route with the value in place of each parameter."""
    plain = re.sub(r"\(\?P<\w+>(?:[^()]|\([^()]*\))*\)", value.replace("\\", "\\\\"), route)
    return "/" + re.sub(r"<(?:\w+:)?\w+>", lambda _: value, plain).replace("^", "").replace("$", "").replace("\\Z", "")


@pytest.fixture
def depot() -> Depot:
    return make_depot()


@pytest.fixture
def client(depot: Depot) -> Client:
    set_switch(flags.THROTTLING, False)
    client = Client(raise_request_exception=False, headers={"accept-language": "en"})
    client.force_login(make_office(is_superuser=True))
    return client


def failing_urls(client: Client, urls: Iterable[str], every: int = 1, method: str = "get") -> list[tuple[str, int]]:
    """Requests one of `every` URLs, because all of them take an hour.

    Returns the URLs that get a 5xx, cut to 200 characters, with the status.
    """
    answers = ((url, getattr(client, method)(url).status_code) for url in islice(urls, 0, None, every))
    return [(url[:200], status) for url, status in answers if status >= 500]


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime")
def test_odd_admin_paths_give_no_500(client: Client) -> None:
    found = routes("admin/")
    assert len(found) > 60
    odd = [fill_route(route, value) for route in found for value in (ODD_VALUES if "<" in route else ["x"])]
    assert failing_urls(client, odd, 8) == []
    assert failing_urls(client, odd, 24, "post") == []
    # NUL as the key of the one table whose key is text.
    nul = [fill_route(route, value) for route in found if "gatewaystate/<path" in route for value in ODD_VALUES[:3]]
    assert failing_urls(client, nul) == failing_urls(client, nul, method="post") == []


ADMIN_PARAMETERS = [
    "q", "p", "o", "e", "all", "_facets", "_popup", "_to_field", "_changelist_filters", "_source_model", "app_label",
    "model_name", "field_name", "term", "page", "next", "version", "from", "to", "customer", "x%00", "%00", "id", "pk",
    "%ED%A0%80", "__", "id__", "live_since", "lang", "_saveasnew", "scheduled_date", "time_slot",
]  # fmt: skip
FEW_VALUES = ["%00", "99999999999999999999", "(", "%ED%A0%80", "9999-12-31", "-1"]


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime")
def test_odd_admin_queries_give_no_500(client: Client) -> None:
    pages = sorted({fill_route(route, "1") for route in routes("admin/")})
    urls = (f"{page}?{name}={value}" for page in pages for name in ADMIN_PARAMETERS for value in FEW_VALUES)
    assert failing_urls(client, urls, 20) == []
    for page in ("/admin/autocomplete/", "/admin/customers/customer/choose/"):
        field = "app_label=orders&model_name=order&field_name=customer"
        assert failing_urls(client, (f"{page}?{field}&term={value}" for value in FEW_VALUES)) == []


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime")
def test_odd_list_lookups_give_no_500(client: Client) -> None:
    lists = (admin.site.get_model_admin(model) for model in apps.get_models() if admin.site.is_registered(model))
    urls = [url for one in lists for url in lookups(one)]
    assert failing_urls(client, urls, 66) == []


def lookups(model_admin: Any) -> Iterator[str]:
    """Yields URLs of a list with allowed and forbidden lookups and odd values."""
    page = reverse(f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}_changelist") + "?"
    columns = [field.name for field in model_admin.opts.get_fields()]
    day = model_admin.date_hierarchy or "id"
    filters = {part[0] if isinstance(part, tuple) else part for part in model_admin.list_filter} | {
        day,
        model_admin.opts.pk.name,
    }
    yield from (f"{page}{column}__{lookup}={value}" for column in columns for lookup in LOOKUPS for value in FEW_VALUES)
    for value in ODD_VALUES:
        yield from (f"{page}{name}={value}" for name in ("q", "o", "p"))
        yield from (f"{page}{column}__{lookup}={value}" for column in filters for lookup in ALL_LOOKUPS)
    for year in ("0", "1", "9999", "10000", "-1", "99999999999999999999", "%00", "x"):
        yield from (f"{page}{day}__year={year}&{day}__month={month}&{day}__day=31" for month in ("", "0", "12", "13"))


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime")
def test_order_list_with_odd_values_gives_200_or_400(client: Client) -> None:
    page = reverse("admin:orders_order_changelist")
    for query in (
        "scheduled_date__year=10000", "scheduled_date__gte=9999-12-31", "status__exact=%00", "q=%00", "x%00=1",
        "area=%00", "order_number__regex=(", "driver__id__exact=%00", "scheduled_date__year=0",
    ):  # fmt: skip
        assert client.get(f"{page}?{query}", follow=True).status_code in (200, 400), query


OTHER_PARAMETERS = [
    "q", "ordering", "customer", "status", "scheduled_date", "scheduled_date_from", "day", "driver", "route", "latest",
    "area", "page", "page_size", "since", "epoch", "channel", "limit", "from", "to", "created_at_from", "created_at_to",
    "date", "date_to", "kind", "order", "is_active", "gateway", "next", "lang", "format", "v", "%00", "token",
]  # fmt: skip


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime")
@pytest.mark.parametrize("part", ["api/", "health/", "t/", "accounts/", "driver/", "orders/", "i18n/", "words", ""])
def test_other_odd_urls_give_no_500(client: Client, part: str) -> None:
    found = [route for route in routes(part) if part or not route.lstrip("^").startswith(("admin/", "api/", "health/"))]
    urls = [fill_route(route, value) for route in found for value in ODD_VALUES if "<" in route or "(?P" in route]
    urls += [
        f"{fill_route(route, '1')}?{name}={value}"
        for route in found
        for name in OTHER_PARAMETERS
        for value in FEW_VALUES
    ]
    # Health checks answer 503 by design if a part is unhealthy, as in this test.
    assert [one for one in failing_urls(client, urls, 32) if part != "health/" or one[1] != 503] == []
