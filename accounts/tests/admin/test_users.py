from __future__ import annotations

import logging
import re
from smtplib import SMTPServerDisconnected
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts import users
from accounts.models import StaffRole
from accounts.roles import Role, staff_role
from orders.tests.admin.browser import Browser, form_errors, shown_messages, sign_in
from orders.tests.factories import make_customer, make_driver, make_staff, make_user
from web.refusals import Refusal

pytestmark = pytest.mark.django_db


LIST, ADD = reverse("admin:auth_user_changelist"), reverse("admin:auth_user_add")
MING = {"username": "ming", "first_name": "林小明", "email": "ming@example.com", "role": "clerk"}


@pytest.fixture
def owner() -> Browser:
    return sign_in(make_staff("owner"))


@pytest.fixture
def manager() -> Browser:
    return sign_in(make_staff("manager"))


def page(user: User) -> str:
    return reverse("admin:auth_user_change", args=[user.pk])


def save(browser: Browser, user: User, **fields: Any) -> Any:
    return browser.post(page(user), browser.form(page(user), "user_form") | fields)


def add(browser: Browser, **fields: Any) -> Any:
    return browser.post(ADD, browser.form(ADD, "user_form") | MING | fields)


def role_of(user: User) -> Role | None:
    return staff_role(User.objects.get(pk=user.pk))


def test_list_shows_roles_without_a_query_per_row(manager: Browser, django_assert_max_num_queries: Any) -> None:
    for _ in range(3):
        make_driver()
        make_staff("clerk")
        make_customer(user=make_user())
    manager.get(LIST)
    with django_assert_max_num_queries(9):
        shown = manager.get(LIST)
    roles = ("manager", "clerk", "driver", "customer")
    assert all(f'<td class="field-role">{role}</td>' in shown for role in roles)


@pytest.mark.django_db(transaction=True)
def test_new_account_has_a_role_and_gets_a_password_link() -> None:
    answer = add(sign_in(make_staff("manager")))
    user = User.objects.get(username="ming")
    assert (user.get_full_name(), user.email, user.is_staff, role_of(user)) == (
        "林小明", "ming@example.com", True, Role.CLERK,
    )  # fmt: skip
    assert (
        "success",
        "The account is “ming”. The link to set its password was sent to ming@example.com.",
    ) in shown_messages(answer)
    link = re.search(r"https?://\S+?(/accounts/password/set/\S+)", str(mail.outbox[0].body))
    assert link is not None
    assert Client().get(link[1], follow=True).context["validlink"]


@pytest.mark.django_db(transaction=True)
def test_failed_mail_to_a_new_account_is_reported() -> None:
    with mock.patch("accounts.users.send_mail", side_effect=SMTPServerDisconnected):
        answer = add(sign_in(make_staff("manager")))
    error = "The e-mail to ming@example.com could not be sent. Please send the link again later."
    assert ("error", error) in shown_messages(answer)
    assert User.objects.filter(username="ming").exists()


@pytest.mark.parametrize("missing", ["username", "first_name", "email", "role"])
def test_new_account_requires_every_field(manager: Browser, missing: str) -> None:
    assert form_errors(add(manager, **{missing: ""})) == ["This field is required."]
    assert not User.objects.filter(email="ming@example.com").exists()


def test_pages_show_neither_hash_nor_permissions(owner: Browser) -> None:
    for path in (ADD, page(make_staff("clerk"))):
        assert not re.search("pbkdf2|user_permissions|groups|is_superuser|password1", owner.get(path))


@pytest.mark.parametrize(
    ("by", "role", "given"),
    [("owner", "owner", True), ("owner", "manager", True), ("manager", "clerk", True), ("manager", "manager", False),
     ("manager", "owner", False)],
)  # fmt: skip
def test_only_an_owner_creates_managers_and_owners(by: str, role: str, given: bool) -> None:
    add(sign_in(make_staff(by)), role=role)
    assert [staff_role(user) for user in User.objects.filter(username="ming")] == [Role(role)] * given


@pytest.mark.parametrize(("by", "changed"), [("owner", True), ("manager", False)])
def test_only_an_owner_changes_managers(by: str, changed: bool) -> None:
    browser, user = sign_in(make_staff(by)), make_staff("manager")
    path = reverse("admin:auth_user_link", args=[user.pk])
    form_data = {"username": "mine", "first_name": "x", "email": "me@example.com", "role": "clerk", "is_active": "on"}
    assert (browser.client.post(page(user), form_data).status_code == 403) is not changed
    assert (browser.client.post(path).status_code == 403) is not changed
    user.refresh_from_db()
    assert (user.username == "mine") is changed
    assert role_of(user) == (Role.CLERK if changed else Role.MANAGER)


def test_manager_changes_the_account_of_a_driver(manager: Browser) -> None:
    user = make_driver().user
    save(manager, user, email="chen@example.com", first_name="陳志明", is_superuser="on", is_staff="on")
    user.refresh_from_db()
    assert (user.email, user.is_staff, user.is_superuser, role_of(user)) == ("chen@example.com", False, False, None)


def test_role_change_removes_superuser(owner: Browser) -> None:
    user = make_staff("clerk", is_superuser=True, first_name="x")
    assert owner.form(page(user), "user_form")["role"] == "owner"
    save(owner, user, role="manager")
    user.refresh_from_db()
    assert (user.is_superuser, role_of(user)) == (False, Role.MANAGER)


def test_owner_can_remove_an_office_role(owner: Browser) -> None:
    user = make_staff("clerk", first_name="x")
    save(owner, user, role="")
    assert (role_of(user), StaffRole.objects.filter(user=user).exists()) == (None, False)


def test_own_role_and_activation_are_read_only() -> None:
    user = make_staff("owner", first_name="x")
    make_staff("owner")
    browser = sign_in(user)
    save(browser, user, role="clerk", is_active="")
    user.refresh_from_db()
    assert (role_of(user), user.is_active) == (Role.OWNER, True)


def test_two_owners_cannot_remove_each_others_role() -> None:
    one, other = make_staff("owner"), make_staff("owner")
    read_before = User.objects.select_related("staff_role").get(pk=one.pk)
    users.appoint(other, one, "clerk")
    with pytest.raises(Refusal) as refused:
        users.appoint(read_before, other, "clerk")
    assert (refused.value.code, role_of(other)) == ("last_owner", Role.OWNER)


def test_last_owner_cannot_be_deactivated(owner: Browser) -> None:
    last = make_staff("owner", first_name="x")
    with mock.patch("accounts.users.owners", return_value=User.objects.filter(pk=last.pk)):
        form = owner.form(page(last), "user_form")
        del form["is_active"]
        answer = owner.post(page(last), form)
    assert "This is the only active owner account" in answer.content.decode()
    assert User.objects.get(pk=last.pk).is_active


def test_new_password_without_e_mail_is_shown_once(owner: Browser) -> None:
    user = make_staff("clerk", email="")
    ((level, text),) = shown_messages(owner.post(reverse("admin:auth_user_link", args=[user.pk]), {}))
    password = re.findall("“(.+?)”", text)[1]
    user.refresh_from_db()
    assert (level, user.check_password(password)) == ("warning", True)


def test_account_pages_link_to_the_pages_of_drivers(manager: Browser) -> None:
    driver = make_driver()
    assert reverse("admin:dispatch_driver_add") in manager.get(ADD)
    assert reverse("admin:dispatch_driver_change", args=[driver.pk]) in manager.get(page(driver.user))


def test_account_cannot_be_deleted(admin_client: Client) -> None:
    path = reverse("admin:auth_user_delete", args=[make_user().pk])
    assert admin_client.post(path, {"post": "yes"}).status_code == 403


def test_admin_shows_no_tokens_and_no_groups(admin_client: Client) -> None:
    shown = admin_client.get("/admin/").content.decode().replace("csrfmiddlewaretoken", "")
    assert "token" not in shown
    assert "auth/group" not in shown


def request_password_link(office: Browser) -> list[tuple[str, str]]:
    driver = make_driver(user=make_user(username="chen", email="chen@example.com"))
    return shown_messages(office.post(reverse("admin:dispatch_driver_password", args=[driver.pk]), {}))


def test_sent_password_link_is_reported(office: Browser) -> None:
    text = "The account is “chen”. The link to set its password was sent to chen@example.com."
    assert request_password_link(office) == [("success", text)]


@pytest.mark.parametrize("error", [ConnectionRefusedError, TimeoutError, SMTPServerDisconnected])
def test_failed_password_link_is_reported_and_logged(
    office: Browser, error: type[OSError], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), mock.patch("accounts.users.send_mail", side_effect=error):
        assert request_password_link(office) == [
            ("error", "The e-mail to chen@example.com could not be sent. Please send the link again later.")
        ]
    assert "Could not mail the link to set a password" in caplog.text
    assert "chen@example.com" not in caplog.text


def test_link_mail_is_in_the_language_of_the_request(office: Browser) -> None:
    request_password_link(office)
    assert "You have an account “chen”" in str(mail.outbox[0].body)
