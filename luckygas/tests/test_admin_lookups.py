"""What the address of a list in the admin may ask for: all that the list shows and filters by, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Field, Model
from django.urls import reverse

from notifications.tests.factories import make_message
from orders.tests.admin.browser import Browser, sign_in
from orders.tests.factories import make_driver, make_office, make_order, make_route, make_staff
from web.admin import HouseList

pytestmark = pytest.mark.django_db
LISTS = sorted(admin.site._registry.items(), key=lambda item: item[0]._meta.label)
NAMES = [model._meta.label for model, _ in LISTS]


@pytest.fixture
def superuser() -> Browser:
    return sign_in(make_office(is_superuser=True))


def columns(model: type[Model]) -> list[Field[Any, Any]]:
    return [field for field in model._meta.get_fields() if isinstance(field, Field)]


def paths(model: type[Model]) -> Iterator[str]:
    """Every column of the table and of those it is joined with, from both sides, two joins away at most."""
    for field in model._meta.get_fields():
        name = field.name
        yield name
        if field.is_relation and field.related_model:
            for other in columns(field.related_model):  # type: ignore[arg-type]  # a model by now
                yield f"{name}__{other.name}"
                if other.is_relation:
                    yield from (f"{name}__{other.name}__{far.name}" for far in columns(other.related_model))  # type: ignore[arg-type]


def shown(one: HouseList) -> set[str]:
    """The columns that the list shows or filters by, and those that links of ours ask for."""
    named = {part[0] if isinstance(part, tuple) else part for part in one.list_filter}
    found: set[str] = {
        *map(str, named),
        *map(str, one.list_display),
        *one.asked_for,
        str(one.date_hierarchy),
        one.opts.pk.name,
        "id",
        "pk",
    }
    return found | {f"{name}__{key}" for name in found for key in ("id", "pk", "gateway")}


@pytest.mark.parametrize(("model", "one"), LISTS, ids=NAMES)
def test_no_list_is_asked_for_a_column_that_it_does_not_show(model: type[Model], one: Any) -> None:
    assert isinstance(one, HouseList)
    asked = set(paths(model))
    assert asked
    for path in asked - shown(one):
        for lookup in ("", "__exact", "__startswith", "__contains", "__gte", "__isnull", "__in", "__regex"):
            assert not one.lookup_allowed(path + lookup, "x"), path + lookup


@pytest.mark.parametrize(
    ("model", "query"),
    [
        ("orders_order", "tracking_token__startswith=a"),
        ("orders_order", "customer__phone__startswith=%2B886"),
        ("orders_order", "customer__user__password__startswith=p"),
        ("orders_order", "import_ref__startswith=a"),
        ("notifications_notificationhistory", "recipient__startswith=%2B886"),
        ("notifications_notificationhistory", "content__contains=x"),
        ("auth_user", "password__startswith=p"),
        ("auth_user", "driver__phone__startswith=%2B886"),
        ("realtime_websocketconnection", "user__password__startswith=p"),
        ("orders_order", "order_number__regex=^4"),
    ],
)
def test_a_list_that_is_asked_for_hidden_columns_answers_400(model: str, query: str, superuser: Browser) -> None:
    superuser.get(reverse(f"admin:{model}_changelist") + "?" + query, status=400)


@pytest.mark.long
@pytest.mark.parametrize("model", [model for model, _ in LISTS], ids=NAMES)
def test_every_filter_that_a_list_offers_is_taken(model: type[Model], superuser: Browser) -> None:
    driver = make_driver(user=make_office())
    make_order("delivering", driver=driver, route=make_route(driver=driver))
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    changes = superuser.client.get(page).context["cl"]
    offered = [choice["query_string"] for spec in changes.filter_specs for choice in spec.choices(changes)]
    for query in offered:
        superuser.get(page + query)


def test_links_of_our_pages_are_taken(superuser: Browser) -> None:
    order = make_order()
    row = make_message("sent", order=order)
    for page, query, wanted in (
        ("orders_order", f"customer__id__exact={order.customer_id}", order.order_number),
        ("notifications_notificationhistory", f"customer__id__exact={order.customer_id}", str(row.pk)),
        ("notifications_notificationhistory", f"order__id__exact={order.pk}", str(row.pk)),
    ):
        assert wanted in superuser.get(reverse(f"admin:{page}_changelist") + "?" + query)


@pytest.mark.long
def test_who_sees_masked_numbers_finds_messages_by_what_they_see() -> None:
    row = make_message("sent", recipient="+886912345678")
    clerk, manager = make_staff("clerk"), make_staff("manager")
    page = reverse("admin:notifications_notificationhistory_changelist")

    def finds(part: str, user: User = clerk) -> bool:
        return str(row.pk) in sign_in(user).get(page, q=part)

    assert all(map(finds, ("678", "5678", "9678", "0912345678")))
    assert not any(map(finds, ("345", "912", "679", "0912345679")))
    assert finds("345", manager)
    assert not finds("9678", manager)
