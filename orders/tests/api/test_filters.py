from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import resolve
from django.utils import timezone

from accounts.roles import Side
from catalogue.api import ProductFilters
from customers.api import CustomerFilters
from customers.models import Customer
from orders.api.orders import OrderFilters
from orders.models import Order, Priority
from orders.states import OrderStatus
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import TODAY, make_customer, make_driver, make_order, make_route, make_user

pytestmark = pytest.mark.django_db


def found_ids(**query: object) -> list[int]:
    answer = make_api("office").get("orders/", **query)
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def test_status_filter_accepts_several() -> None:
    make_order(OrderStatus.CANCELLED)
    wanted = [make_order().pk, make_order(OrderStatus.CONFIRMED).pk]
    assert sorted(found_ids(status="pending,confirmed")) == wanted


def test_date_filters_find_a_range() -> None:
    days = [make_order(scheduled_date=TODAY + timedelta(days=n)).pk for n in range(4)]
    assert sorted(found_ids(scheduled_date_from="2099-11-24", scheduled_date_to="2099-11-25")) == days[1:3]


def test_date_filter_finds_one_day() -> None:
    make_order(scheduled_date=TODAY + timedelta(days=1))
    order = make_order()
    assert found_ids(scheduled_date=str(TODAY)) == [order.pk]


def test_day_filter_finds_scheduled_and_changed_orders() -> None:
    today = timezone.localdate()
    due, changed, other = make_order(scheduled_date=today), make_order(), make_order()
    for order, shift in ((due, 3), (changed, 0), (other, 1)):
        Order.objects.filter(pk=order.pk).unannounced().update(updated_at=timezone.now() - timedelta(days=shift))
    assert sorted(found_ids(day=str(today))) == [due.pk, changed.pk]
    assert found_ids(day=str(today - timedelta(days=1))) == [other.pk]


def test_each_filter_finds_only_matching_orders() -> None:
    make_order()
    driver, customer = make_driver(), make_customer(address="台北市信義區松仁路1號")
    route = make_route(driver=driver)
    order = make_order(
        OrderStatus.ASSIGNED, driver=driver, route=route, customer=customer, priority=Priority.URGENT
    )  # fmt: skip
    for query in (
        {"driver": driver.pk}, {"route": route.pk}, {"customer": customer.pk}, {"area": "信義區"},
        {"priority": "urgent"},
    ):  # fmt: skip
        assert found_ids(**query) == [order.pk], query


@pytest.mark.parametrize("typed", ["0912-345-678", "345678", "３４５６７８", "陳太太", "松仁路17號", "松仁路１７號"])
@pytest.mark.parametrize("written", ["松仁路17號", "松仁路１７號"])
def test_search_accepts_usual_spellings(typed: str, written: str) -> None:
    make_order(customer=make_customer(phone="0922-000-111"))
    customer = make_customer(name="陳太太", phone="0912-345-678", address=f"台北市信義區{written}")
    order = make_order(customer=customer)
    assert found_ids(q=typed) == [order.pk]
    assert list(Customer.objects.search(typed)) == [customer]


def test_driver_filter_is_ignored_for_customers() -> None:
    customer, drivers = make_customer(user=make_user()), [make_driver(), make_driver()]
    order = make_order(OrderStatus.ASSIGNED, driver=drivers[0], customer=customer)
    for driver in drivers:
        answer = Api(customer.user).get("orders/", driver=driver.pk, route=1)
        assert [row["id"] for row in answer.json()["results"]] == [order.pk]


def test_search_finds_order_number_without_hyphen() -> None:
    make_order()
    order = make_order()
    assert found_ids(q=order.order_number.replace("-", "")) == [order.pk]


def test_ordering_breaks_ties_by_id_and_puts_null_stops_last() -> None:
    route = make_route()
    none, second, first = (
        make_order(),
        make_order(route=route, stop_sequence=2),
        make_order(route=route, stop_sequence=1),
    )
    assert found_ids(ordering="stop_sequence") == [first.pk, second.pk, none.pk]
    assert found_ids(ordering="-scheduled_date,id") == sorted([none.pk, second.pk, first.pk])


def test_default_ordering_is_newest_first() -> None:
    orders = [make_order().pk, make_order().pk]
    assert found_ids() == orders[::-1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "flying"), ("priority", "x"), ("driver", "1.5"), ("driver", "-1"), ("route", str(10**30)),
        ("customer", "NaN"), ("scheduled_date", "2026-02-30"), ("scheduled_date_from", "tomorrow"), ("q", "\0"),
        ("day", "9999-12-31"), ("day", "0001-01-01"),
        ("area", "x" * 21), ("q", "x" * 101), ("ordering", "tracking_token"),
    ],
)  # fmt: skip
def test_invalid_filter_error_names_parameter(name: str, value: str) -> None:
    answer = make_api("office").get("orders/", **{name: value})
    assert (answer.status_code, {attr for _, attr in codes(answer)}) == (400, {name})


@pytest.mark.parametrize("query", [{"page": "0"}, {"page": "x"}, {"page": "2"}, {"page": "9" * 5000}])
def test_unknown_page_is_404(query: dict[str, str]) -> None:
    answer = make_api("office").get("orders/", **query)
    assert (answer.status_code, codes(answer)) == (404, [("not_found", None)])


def test_page_size_is_limited() -> None:
    customer = make_customer()
    Order.objects.unannounced().bulk_create(
        Order(customer=customer, scheduled_date=TODAY, order_number=f"{n:04d}-0000") for n in range(501)
    )
    api = make_api("office")
    assert len(api.get("orders/").json()["results"]) == 50
    assert len(api.get("orders/", page_size=100_000).json()["results"]) == 500


@pytest.mark.parametrize("path", ["orders/", "orders/urgent/", "customers/", "products/", "drivers/", "routes/"])
def test_list_query_count_is_constant(path: str, django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    for _ in range(5):
        driver = make_driver()
        make_order(OrderStatus.ASSIGNED, driver=driver, priority=Priority.URGENT, route=make_route(driver=driver))
    api = make_api("office")
    api.get(path)  # the first call creates the head of an empty log
    with django_assert_max_num_queries(6):
        answer = api.get(path)
    assert len(answer.json()["results"]) == 5


def test_customers_are_found_by_telephone() -> None:
    make_customer(phone="0922-000-111")
    customer = make_customer(phone="0912-345-678")
    rows = make_api("office").get("customers/", q="345-678").json()["results"]
    assert [row["id"] for row in rows] == [customer.pk]


def test_latest_limits_orders_of_each_customer() -> None:
    customers = [make_customer() for _ in range(3)]
    orders = [[make_order(customer=customer).pk for _ in range(3)] for customer in customers]
    both = f"{customers[0].pk},{customers[1].pk}"
    assert sorted(found_ids(customer=both)) == [*orders[0], *orders[1]]
    assert found_ids(customer=both, latest=2, ordering="-id") == [*orders[1][:0:-1], *orders[0][:0:-1]]


def test_latest_respects_other_filters() -> None:
    customer = make_customer()
    order = make_order(OrderStatus.CONFIRMED, customer=customer)
    make_order(customer=customer)
    assert found_ids(customer=customer.pk, latest=1, status="confirmed") == [order.pk]


@pytest.mark.parametrize(
    ("query", "attr"),
    [({"latest": 2}, "latest"), ({"customer": "1", "latest": 21}, "latest"), ({"customer": "1,x"}, "customer"),
     ({"customer": ",".join(map(str, range(1, 52)))}, "customer")],
)  # fmt: skip
def test_latest_and_customer_filters_are_validated(query: dict[str, object], attr: str) -> None:
    answer = make_api("office").get("orders/", **query)
    assert answer.status_code == 400
    assert [error[1] for error in codes(answer)] == [attr]


@pytest.mark.parametrize("size", ["0", "-1", "x", "1.5", "²", ""])
def test_invalid_page_size_is_refused(size: str) -> None:
    answer = make_api("office").get("orders/", page_size=size)
    assert (answer.status_code, codes(answer)) == (400, [("invalid", "page_size")])


@pytest.mark.parametrize("path", ["customers/", "drivers/", "products/"])
def test_is_active_filter_refuses_null(path: str) -> None:
    api = make_api("office")
    assert api.get(path, is_active="false").json()["count"] == 0
    assert api.get(path, is_active="").status_code == 200
    answer = api.get(path, is_active="null")
    assert (answer.status_code, codes(answer)) == (400, [("invalid", "is_active")])


def listed_ids(api: Api, path: str = "orders/", **query: object) -> list[int]:
    answer = api.get(path, **query)
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def test_driver_search_by_telephone_finds_only_open_orders() -> None:
    driver, customer = make_driver(), make_customer(phone="0912-345-678", phone2="02-2345-6789")
    is_open = make_order(OrderStatus.DELIVERING, driver=driver, customer=customer)
    for status in (OrderStatus.DELIVERED, OrderStatus.CANCELLED):
        closed = make_order(OrderStatus.DELIVERING, driver=driver, customer=customer)
        for to in (
            [OrderStatus.ARRIVING, OrderStatus.DELIVERED]
            if status == OrderStatus.DELIVERED
            else [OrderStatus.CANCELLED]
        ):
            closed.transition_to(to, reason="x")
    api = Api(driver.user)
    for part in ("912", "0912345678", "+886 912", "２３４５", "6789"):  # noqa: RUF001
        assert listed_ids(api, q=part) == [is_open.pk], part
    assert len(listed_ids(api, q=customer.name)) == 3
    is_open.transition_to(OrderStatus.FAILED, reason="x")
    is_open.transition_to(OrderStatus.CANCELLED, reason="x")
    assert listed_ids(api, q="0912") == []


def test_customer_search_by_telephone_finds_nothing() -> None:
    customer = make_customer(phone="0912-345-678", user=make_user())
    order = make_order(customer=customer)
    assert listed_ids(Api(customer.user), q="912345678") == []
    assert listed_ids(Api(customer.user), q=order.order_number) == [order.pk]


@pytest.mark.parametrize("is_schema_built", [False, True])
def test_roles_cannot_order_by_hidden_fields(is_schema_built: bool) -> None:
    if is_schema_built:  # building the schema creates the field of every filter
        assert make_api("office").get("schema/").status_code == 200
    for role, path, hidden, shown in (
        ("customer", "orders/", "stop_sequence", "scheduled_date"),
        ("driver", "customers/", "created_at", "name"),
        ("driver", "products/", "stock", "price"),
        ("customer", "products/", "-stock", "-price"),
    ):
        api = make_api(role)
        answer = api.get(path, ordering=hidden)
        assert (answer.status_code, codes(answer)) == (400, [("invalid_choice", "ordering")]), (role, path)
        assert api.get(path, ordering=shown).status_code == 200
        assert make_api("office").get(path, ordering=hidden).status_code == 200


def test_roles_cannot_filter_by_hidden_fields() -> None:
    driver, active, gone = make_driver(), make_customer(), make_customer()
    for customer in (active, gone):
        make_order(OrderStatus.DELIVERING, driver=driver, customer=customer)
    gone.is_active = False
    gone.save()
    api = Api(driver.user)
    assert sorted(listed_ids(api, "customers/", is_active="false")) == sorted([active.pk, gone.pk])
    assert listed_ids(make_api("office"), "customers/", is_active="false") == [gone.pk]


FILTERED = {"orders/": OrderFilters, "customers/": CustomerFilters, "products/": ProductFilters}
# The columns that each filter method reads. The search checks its columns itself.
METHOD_COLUMNS = {"day": {"scheduled_date", "updated_at"}, "latest": {"customer"}, "q": set[str]()}


@pytest.mark.parametrize("path", FILTERED)
@pytest.mark.parametrize("role", ["driver", "customer"])
def test_role_filters_use_only_visible_fields(role: str, path: str) -> None:
    """Checks filters with a method. If you add one, list its columns in METHOD_COLUMNS."""
    view = resolve(f"/api/v1/{path}").func.cls  # type: ignore[attr-defined]
    view = view(action="list", request=None)
    seen = view.get_serializer_class().seen_by.get(Side(role))
    if seen is None:
        assert make_api(role).get(path).status_code == 403
        return
    for name, one in FILTERED[path].base_filters.items():
        if one.method:
            assert METHOD_COLUMNS[name] <= seen, name
