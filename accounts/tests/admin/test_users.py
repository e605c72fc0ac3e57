from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from orders.tests.admin.browser import Browser
from orders.tests.factories import make_customer, make_driver, make_office, make_user

pytestmark = pytest.mark.django_db
LIST = reverse("admin:auth_user_changelist")


def page(user: User) -> str:
    return reverse("admin:auth_user_change", args=[user.pk])


def save(office: Browser, user: User, **fields: Any) -> Any:
    return office.post(page(user), office.form(page(user), "user_form") | fields)


def test_list_says_who_is_what_in_one_query_for_all(office: Browser, django_assert_max_num_queries: Any) -> None:
    for _ in range(3):
        make_driver()
        make_customer(user=make_user())
    office.get(LIST)
    with django_assert_max_num_queries(9):
        shown = office.get(LIST)
    assert all(f'<td class="field-role">{role}</td>' in shown for role in ("office", "driver", "customer"))


def test_office_changes_the_account_of_a_driver(office: Browser) -> None:
    user = make_driver().user
    save(office, user, email="chen@example.com")
    user.refresh_from_db()
    assert user.email == "chen@example.com"


def test_office_gives_nobody_rights(office: Browser) -> None:
    user, group = make_driver().user, Group.objects.get(name="office")
    save(office, user, is_superuser="on", is_staff="on", groups=group.pk, user_permissions=1, email="x@example.com")
    user.refresh_from_db()
    assert (user.is_superuser, user.is_staff, user.email) == (False, False, "x@example.com")
    assert not user.groups.exists()
    assert not user.user_permissions.exists()


@pytest.mark.parametrize("rights", [{"is_superuser": True}, {"is_staff": True}])
def test_office_changes_no_account_that_has_rights(office: Browser, rights: dict[str, bool]) -> None:
    user = make_user(**rights)
    said = {"username": "mine", "email": "me@example.com", "password1": "mine all mine", "password2": "mine all mine"}
    assert office.post(page(user), said).status_code == 403
    assert office.post(reverse("admin:auth_user_password_change", args=[user.pk]), said).status_code == 403
    user.refresh_from_db()
    assert user.username != "mine"
    assert user.check_password("correct horse")


def test_superuser_gives_rights(admin_client: Client) -> None:
    user = make_office()
    browser = Browser(admin_client)
    save(browser, user, is_superuser="on")
    user.refresh_from_db()
    assert user.is_superuser


def test_no_account_is_deleted(admin_client: Client) -> None:
    user = make_user()
    path = reverse("admin:auth_user_delete", args=[user.pk])
    assert admin_client.post(path, {"post": "yes"}).status_code == 403


def test_admin_shows_no_tokens(admin_client: Client) -> None:
    assert "token" not in admin_client.get("/admin/").content.decode().replace("csrfmiddlewaretoken", "")
