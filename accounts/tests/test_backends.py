from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import StaffRole
from accounts.roles import RIGHTS, Role
from orders.tests.factories import make_driver, make_product, make_staff, make_user

pytestmark = pytest.mark.django_db


def test_clerk_has_the_permissions_of_the_role_and_no_others() -> None:
    clerk = make_staff("clerk")
    held = clerk.get_all_permissions()
    assert {"orders.change_order", "notifications.resend_notificationhistory"} <= held <= set(RIGHTS)
    assert "catalogue.change_product" not in held
    assert clerk.has_perms(["orders.view_order", "orders.change_order"])
    assert not clerk.has_perms(["orders.view_order", "catalogue.change_product"])
    assert not clerk.has_perm("orders.delete_order")


def test_groups_and_user_permissions_are_ignored() -> None:
    clerk, group = make_staff("clerk"), Group.objects.create(name="g")
    right = Permission.objects.get(codename="change_product")
    clerk.user_permissions.add(right)
    group.permissions.add(right)
    clerk.groups.add(group)
    assert not User.objects.get(pk=clerk.pk).has_perm("catalogue.change_product")


def test_right_to_own_rows_does_not_count_as_permission() -> None:
    driver = make_driver().user
    assert not driver.has_perm("orders.view_order")
    assert driver.get_all_permissions() == set()
    assert not driver.has_module_perms("orders")


def test_module_is_visible_with_any_right_in_it() -> None:
    clerk = make_staff("clerk")
    assert [clerk.has_module_perms(app) for app in ("orders", "waffle", "axes", "auth")] == [True, False, False, False]


def test_staff_without_a_row_are_clerks_and_inactive_users_have_no_role() -> None:
    plain = make_user(is_staff=True)
    assert plain.has_perm("orders.change_order")
    assert not plain.has_perm("catalogue.change_product")
    assert not make_staff("owner", is_active=False).has_perm("orders.view_order")
    assert not AnonymousUser().has_perm("orders.view_order")


def test_page_loads_the_role_with_the_account() -> None:
    client = Client()
    client.force_login(make_staff("clerk"))
    client.get(reverse("new_order"))
    with CaptureQueriesContext(connection) as queries:
        client.get(reverse("new_order"))
    assert [query["sql"] for query in queries if "auth_permission" in query["sql"]] == []
    assert len([query for query in queries if "accounts_staffrole" in query["sql"]]) == 1


def test_refused_page_names_the_roles_that_may() -> None:
    client = Client(headers={"accept-language": "en"})
    client.force_login(make_staff("clerk"))
    for path in ("/admin/waffle/switch/", "/admin/catalogue/product/add/", reverse("ws_test")):
        answer = client.get(path)
        assert (answer.status_code, "Only a manager or the owner may do this." in answer.content.decode()) == (
            403,
            True,
        )


def test_refused_form_names_the_roles_that_may_change_it() -> None:
    clerk, manager = make_staff("clerk"), make_staff("manager")
    for user, page, row, sentence in (
        (clerk, "catalogue_product", make_product(), "Only a manager or the owner may do this."),
        (manager, "auth_user", make_staff("owner"), "Only the owner may do this."),
    ):
        client = Client(headers={"accept-language": "en"})
        client.force_login(user)
        answer = client.post(reverse(f"admin:{page}_change", args=[row.pk]))
        assert (answer.status_code, sentence in answer.content.decode()) == (403, True)


def test_account_without_a_role_can_only_change_its_password() -> None:
    user, client = make_user(), Client(headers={"accept-language": "en"})
    signed_in = client.post(reverse("login"), {"username": user.username, "password": "correct horse"}, follow=True)
    assert "Your account has no role at the moment" in signed_in.content.decode()
    assert reverse("password_change") in signed_in.content.decode()
    assert client.get(reverse("new_order")).status_code == 403
    form_data = {"old_password": "correct horse", "new_password1": "battery staple", "new_password2": "battery staple"}
    assert client.post(reverse("password_change"), form_data).status_code == 302
    user.refresh_from_db()
    assert user.check_password("battery staple")


def test_giving_the_same_role_again_saves_nothing() -> None:
    user = make_staff("clerk")
    StaffRole.give(user, Role.MANAGER)
    assert StaffRole.objects.get(user=user).role == "manager"
    with CaptureQueriesContext(connection) as queries:
        StaffRole.give(user, Role.MANAGER)
    assert len(queries) == 1
