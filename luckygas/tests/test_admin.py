from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import DateField, Field, Model
from django.test import Client
from django.urls import reverse

from luckygas.tests.test_imports import APPS
from notifications.tests.factories import make_message
from orders.tests.admin.browser import Browser, Forms, sign_in
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_route, make_staff
from web.admin import BaseListAdmin

pytestmark = pytest.mark.django_db


OURS = [app for app in APPS if app != "luckygas"]
FOUND = [model for app in OURS for model in apps.get_app_config(app).get_models()]
MODELS: list[type[Model]] = [User, *(model for model in FOUND if admin.site.is_registered(model))]
DAYS = [(model, field.name) for model in MODELS for field in model._meta.fields if isinstance(field, DateField)]


@pytest.mark.sqlite
@pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime")
@pytest.mark.parametrize(("model", "name"), DAYS)
def test_list_with_extreme_dates_gives_no_500(admin_client: Client, model: type[Model], name: str) -> None:
    page = reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")
    queries: list[dict[str, Any]] = [
        {"gte": "0001-01-01"}, {"lt": "9999-12-31 23:59-08:00"}, {"year": 9999}, {"year": 1, f"{name}__month": 1},
    ]  # fmt: skip
    for query in queries:
        parameters = {key if "__" in key else f"{name}__{key}": value for key, value in query.items()}
        assert admin_client.get(page, parameters).status_code < 500


@pytest.mark.sqlite
@pytest.mark.parametrize("model", MODELS)
def test_action_with_an_invalid_selection_gives_no_500(admin_client: Client, model: type[Model]) -> None:
    page = reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")
    names = admin.site.get_model_admin(model).actions
    for name in filter(None, [*(str(name) for name in names or ()), "delete_selected"]):
        form_data = {"action": name, "_selected_action": "abc"}
        assert admin_client.post(page, form_data).status_code < 500


# The query of an admin list may only use columns that the list shows or filters by, and those that our links use.


LISTS = sorted(admin.site._registry.items(), key=lambda item: item[0]._meta.label)
NAMES = [model._meta.label for model, _ in LISTS]


@pytest.fixture
def superuser() -> Browser:
    return sign_in(make_office(is_superuser=True))


def columns(model: type[Model]) -> list[Field[Any, Any]]:
    return [field for field in model._meta.get_fields() if isinstance(field, Field)]


def column_paths(model: type[Model]) -> Iterator[str]:
    """Yields every field of the model, of models related in either direction, and of models to which these refer."""
    for field in model._meta.get_fields():
        name = field.name
        yield name
        if field.is_relation and field.related_model:
            for other in columns(field.related_model):  # type: ignore[arg-type]  # a model by now
                yield f"{name}__{other.name}"
                if other.is_relation:
                    yield from (f"{name}__{other.name}__{far.name}" for far in columns(other.related_model))  # type: ignore[arg-type]


def visible_columns(list_admin: BaseListAdmin) -> set[str]:
    """Returns the columns that the list shows or filters by, those that our links use, and the keys of related rows."""
    filters = {part[0] if isinstance(part, tuple) else part for part in list_admin.list_filter}
    found: set[str] = {
        *map(str, filters),
        *map(str, list_admin.list_display),
        *list_admin.filtered_by_links,
        str(list_admin.date_hierarchy),
        list_admin.opts.pk.name,
        "id",
        "pk",
    }
    return found | {f"{name}__{key}" for name in found for key in ("id", "pk", "gateway")}


@pytest.mark.parametrize(("model", "list_admin"), LISTS, ids=NAMES)
def test_list_refuses_lookups_of_hidden_columns(model: type[Model], list_admin: Any) -> None:
    assert isinstance(list_admin, BaseListAdmin)
    all_paths = set(column_paths(model))
    assert all_paths
    for path in all_paths - visible_columns(list_admin):
        for lookup in ("", "__exact", "__startswith", "__contains", "__gte", "__isnull", "__in", "__regex"):
            assert not list_admin.lookup_allowed(path + lookup, "x"), path + lookup


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
def test_hidden_column_in_query_is_400(model: str, query: str, superuser: Browser) -> None:
    superuser.get(reverse(f"admin:{model}_changelist") + "?" + query, status=400)


@pytest.mark.long
@pytest.mark.parametrize("model", [model for model, _ in LISTS], ids=NAMES)
def test_every_offered_filter_works(model: type[Model], superuser: Browser) -> None:
    driver = make_driver(user=make_office())
    make_order("delivering", driver=driver, route=make_route(driver=driver))
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    changes = superuser.client.get(page).context["cl"]
    offered = [choice["query_string"] for spec in changes.filter_specs for choice in spec.choices(changes)]
    for query in offered:
        superuser.get(page + query)


def test_links_to_filtered_lists_work(superuser: Browser) -> None:
    order = make_order()
    row = make_message("sent", order=order)
    for page, query, text in (
        ("orders_order", f"customer__id__exact={order.customer_id}", order.order_number),
        ("notifications_notificationhistory", f"customer__id__exact={order.customer_id}", str(row.pk)),
        ("notifications_notificationhistory", f"order__id__exact={order.pk}", str(row.pk)),
    ):
        assert text in superuser.get(reverse(f"admin:{page}_changelist") + "?" + query)


@pytest.mark.long
def test_clerk_finds_masked_numbers_by_visible_digits_or_the_whole_number() -> None:
    row = make_message("sent", recipient="+886912345678")
    clerk, manager = make_staff("clerk"), make_staff("manager")
    page = reverse("admin:notifications_notificationhistory_changelist")

    def finds(part: str, user: User = clerk) -> bool:
        return str(row.pk) in sign_in(user).get(page, q=part)

    assert all(map(finds, ("678", "5678", "9678", "0912345678")))
    assert not any(map(finds, ("345", "912", "679", "0912345679")))
    assert finds("345", manager)
    assert not finds("9678", manager)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/admin/orders/customer/?q=1&area=%E5%A4%A7", "/admin/customers/customer/?q=1&area=%E5%A4%A7"),
        ("/admin/orders/product/3/change/", "/admin/catalogue/product/3/change/"),
        ("/admin/orders/driver/add/", "/admin/dispatch/driver/add/"),
        ("/admin/health/systemmetric/1/change/", "/admin/web/systemmetric/1/change/"),
    ],
)
def test_old_admin_url_redirects(client: Client, old: str, new: str) -> None:
    answer = client.get(old)
    assert (answer.status_code, answer.headers["location"]) == (308, new)


def test_form_opened_at_old_url_is_saved(admin_client: Client) -> None:
    customer = make_customer()
    page = f"/admin/orders/customer/{customer.pk}/change/"
    form = Forms(admin_client.get(page, follow=True).content.decode()).forms["customer_form"]
    admin_client.post(page, form | {"name": "林小姐"}, follow=True)
    customer.refresh_from_db()
    assert customer.name == "林小姐"
