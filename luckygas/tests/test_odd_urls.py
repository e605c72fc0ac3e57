"""Every URL of the admin, and of the rest of the site, with values that nobody means: none is a fault of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from luckygas.tests.depot import Depot, make_depot
from orders.tests.factories import make_office, turn
from web import flags

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.servers,
    pytest.mark.django_db(transaction=True),
    # What Django says of a day in a query where a moment is meant is no fault.
    pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime"),
]
# Percent-encoded, as they come over the line: NUL, half of UTF-8, half a surrogate pair, controls, ends of lines,
# numbers that fit no column, dates that are none or have no neighbour, patterns and quotes, and much of it.
ODD = [
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
    for one in resolver.url_patterns:
        path = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from patterns(one, path)
        else:
            yield path, one


def routes(wanted: str) -> list[str]:
    """The patterns below this prefix, as `admin/orders/order/<path:object_id>/change/`."""
    return sorted({path for path, _ in patterns(get_resolver()) if path.lstrip("^").startswith(wanted)})


def filled(route: str, value: str) -> str:
    """A path of this route: each of its parts is this value."""
    plain = re.sub(r"\(\?P<\w+>(?:[^()]|\([^()]*\))*\)", value.replace("\\", "\\\\"), route)
    return "/" + re.sub(r"<(?:\w+:)?\w+>", lambda _: value, plain).replace("^", "").replace("$", "").replace("\\Z", "")


@pytest.fixture
def depot() -> Depot:
    return make_depot()


@pytest.fixture
def client(depot: Depot) -> Client:
    turn(flags.THROTTLING, False)
    client = Client(raise_request_exception=False, headers={"accept-language": "en"})
    client.force_login(make_office(is_superuser=True))
    return client


def broken(client: Client, urls: Iterable[str], every: int = 1, method: str = "get") -> list[tuple[str, int]]:
    """Of these, or of each so manyth (all of them take an hour), those that are answered as a fault of ours."""
    answers = ((url, getattr(client, method)(url).status_code) for url in islice(urls, 0, None, every))
    return [(url[:200], status) for url, status in answers if status >= 500]


def test_no_path_of_the_admin_is_a_fault(client: Client) -> None:
    found = routes("admin/")
    assert len(found) > 60
    odd = [filled(route, value) for route in found for value in (ODD if "<" in route else ["x"])]
    assert broken(client, odd, 8) == []
    assert broken(client, odd, 24, "post") == []
    # A key that is text, of the one table that has such a key.
    nul = [filled(route, value) for route in found if "gatewaystate/<path" in route for value in ODD[:3]]
    assert broken(client, nul) == broken(client, nul, method="post") == []


QUERIES = [
    "q", "p", "o", "e", "all", "_facets", "_popup", "_to_field", "_changelist_filters", "_source_model", "app_label",
    "model_name", "field_name", "term", "page", "next", "version", "from", "to", "customer", "x%00", "%00", "id", "pk",
    "%ED%A0%80", "__", "id__", "live_since", "lang", "_saveasnew", "scheduled_date", "time_slot",
]  # fmt: skip
FEW = ["%00", "99999999999999999999", "(", "%ED%A0%80", "9999-12-31", "-1"]


def test_no_query_of_the_admin_is_a_fault(client: Client) -> None:
    pages = sorted({filled(route, "1") for route in routes("admin/")})
    urls = (f"{page}?{name}={value}" for page in pages for name in QUERIES for value in FEW)
    assert broken(client, urls, 20) == []
    for page in ("/admin/autocomplete/", "/admin/customers/customer/choose/"):
        field = "app_label=orders&model_name=order&field_name=customer"
        assert broken(client, (f"{page}?{field}&term={value}" for value in FEW)) == []


def test_no_lookup_of_a_list_is_a_fault(client: Client) -> None:
    lists = (admin.site.get_model_admin(model) for model in apps.get_models() if admin.site.is_registered(model))
    urls = [url for one in lists for url in lookups(one)]
    assert broken(client, urls, 66) == []


def lookups(one: Any) -> Iterator[str]:
    """What may be asked of a list, and what may not, with odd values."""
    page = reverse(f"admin:{one.opts.app_label}_{one.opts.model_name}_changelist") + "?"
    columns = [field.name for field in one.opts.get_fields()]
    day = one.date_hierarchy or "id"
    named = {part[0] if isinstance(part, tuple) else part for part in one.list_filter} | {day, one.opts.pk.name}
    yield from (f"{page}{column}__{lookup}={value}" for column in columns for lookup in LOOKUPS for value in FEW)
    for value in ODD:
        yield from (f"{page}{name}={value}" for name in ("q", "o", "p"))
        yield from (f"{page}{column}__{lookup}={value}" for column in named for lookup in ALL_LOOKUPS)
    for year in ("0", "1", "9999", "10000", "-1", "99999999999999999999", "%00", "x"):
        yield from (f"{page}{day}__year={year}&{day}__month={month}&{day}__day=31" for month in ("", "0", "12", "13"))


def test_a_list_of_an_odd_year_or_with_nul_is_answered(client: Client) -> None:
    page = reverse("admin:orders_order_changelist")
    for query in (
        "scheduled_date__year=10000", "scheduled_date__gte=9999-12-31", "status__exact=%00", "q=%00", "x%00=1",
        "area=%00", "order_number__regex=(", "driver__id__exact=%00", "scheduled_date__year=0",
    ):  # fmt: skip
        assert client.get(f"{page}?{query}", follow=True).status_code in (200, 400), query


OTHERS = [
    "q", "ordering", "customer", "status", "scheduled_date", "scheduled_date_from", "day", "driver", "route", "latest",
    "area", "page", "page_size", "since", "epoch", "channel", "limit", "from", "to", "created_at_from", "created_at_to",
    "date", "date_to", "kind", "order", "is_active", "gateway", "next", "lang", "format", "v", "%00", "token",
]  # fmt: skip


@pytest.mark.parametrize("part", ["api/", "health/", "t/", "accounts/", "driver/", "orders/", "i18n/", "words", ""])
def test_no_other_url_is_a_fault(client: Client, part: str) -> None:
    found = [route for route in routes(part) if part or not route.lstrip("^").startswith(("admin/", "api/", "health/"))]
    urls = [filled(route, value) for route in found for value in ODD if "<" in route or "(?P" in route]
    urls += [f"{filled(route, '1')}?{name}={value}" for route in found for name in OTHERS for value in FEW]
    # Health says 503 by itself where something is not well, as Redis is not in a test.
    assert [one for one in broken(client, urls, 32) if part != "health/" or one[1] != 503] == []
