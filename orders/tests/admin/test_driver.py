from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.urls import reverse

from dispatch.models import Driver
from orders.tests.admin.browser import Browser, Forms, change_url, form_errors, shown_messages, sign_in
from orders.tests.factories import make_driver, make_office, make_order, make_staff, make_user

pytestmark = pytest.mark.django_db
LIST, ADD = reverse("admin:dispatch_driver_changelist"), reverse("admin:dispatch_driver_add")


def add_driver(office: Browser, **fields: str) -> Any:
    data = {"username": "chen", "email": "", "name": "陳志明", "phone": "0911-222-333", "vehicle_plate": "AKT-2301"}
    return office.post(ADD, office.form(ADD, "driver_form") | data | fields)


def sign_in_office() -> Browser:
    return sign_in(make_office())


@pytest.mark.django_db(transaction=True)
def test_new_driver_gets_account_and_password_link_by_mail() -> None:
    add_driver(sign_in_office(), email="chen@example.com")
    driver = Driver.objects.get()
    assert (driver.name, driver.user.username, driver.user.is_staff) == ("陳志明", "chen", False)
    (sent,) = mail.outbox
    assert sent.to == ["chen@example.com"]
    assert "/accounts/password/set/" in str(sent.body)


@pytest.mark.django_db(transaction=True)
def test_new_driver_without_email_gets_password_shown_once() -> None:
    browser = sign_in_office()
    ((_, text),) = (line for line in shown_messages(add_driver(browser)) if line[0] == "warning")
    (password,) = re.findall(r"the password “([^”]+)”", text)
    assert User.objects.get(username="chen").check_password(password)
    assert password not in browser.get(LIST)
    assert mail.outbox == []


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"username": "taken"}, "The account “taken” already exists"),
        ({"username": "a b"}, "Enter a valid username"),
        ({"username": "a" * 151}, "at most 150"),
        ({"email": "nonsense"}, "valid email"),
        ({"email": "a" * 243 + "@example.com"}, "at most 254 characters"),
        ({"name": ""}, "required"),
        ({"phone": "123"}, "telephone number"),
    ],
)
def test_invalid_driver_creates_no_account(office: Browser, wrong: dict[str, str], text: str) -> None:
    make_user(username="taken")
    before = User.objects.count()
    assert text in "".join(form_errors(add_driver(office, **wrong)))
    assert (Driver.objects.count(), User.objects.count()) == (0, before)


def test_driver_account_cannot_be_replaced(office: Browser) -> None:
    driver = make_driver()
    path = change_url("driver", driver.pk)
    office.post(path, office.form(path, "driver_form") | {"name": "新名", "user": make_user().pk})
    after = Driver.objects.get()
    assert (after.name, after.user) == ("新名", driver.user)


def test_list_counts_open_orders(office: Browser) -> None:
    driver = make_driver()
    for status in ("assigned", "delivering", "delivered"):
        make_order(status, driver=driver)
    assert '<td class="field-open_orders">2</td>' in office.get(LIST)


@pytest.mark.parametrize("by", ["form", "action"])
def test_deactivating_driver_with_open_orders_warns(office: Browser, by: str) -> None:
    driver = make_driver(name="陳志明")
    make_order("assigned", driver=driver)
    path = change_url("driver", driver.pk)
    form = office.form(path, "driver_form")
    del form["is_active"]
    if by == "form":
        answer = office.post(path, form)
    else:
        answer = office.post(LIST, {"action": "deactivate", "_selected_action": [driver.pk]})
    assert ("warning", "陳志明 still has 1 open order. Please assign it to another driver.") in shown_messages(answer)
    assert not Driver.objects.get().is_active


def password_url(driver: Driver) -> str:
    return reverse("admin:dispatch_driver_password", args=[driver.pk])


def test_new_password_is_shown_if_driver_has_no_email(office: Browser) -> None:
    driver = make_driver()
    assert password_url(driver) in Forms(office.get(change_url("driver", driver.pk))).forms
    ((_, text),) = shown_messages(office.post(password_url(driver), {}))
    (shown,) = re.findall(r"the password “([^”]+)”", text)
    driver.user.refresh_from_db()
    assert driver.user.check_password(shown)


def test_password_link_is_mailed_if_driver_has_email(office: Browser) -> None:
    driver = make_driver(user=make_user(email="chen@example.com"))
    office.post(password_url(driver), {})
    driver.user.refresh_from_db()
    assert driver.user.check_password("correct horse")
    assert [message.to for message in mail.outbox] == [["chen@example.com"]]


def test_manager_cannot_renew_superuser_password(office: Browser) -> None:
    driver = make_driver(user=make_user(is_superuser=True))
    assert password_url(driver) not in office.get(change_url("driver", driver.pk))
    assert office.post(password_url(driver), {}).status_code == 403
    driver.user.refresh_from_db()
    assert driver.user.check_password("correct horse")


def test_password_needs_post_and_permission(office: Browser) -> None:
    driver = make_driver()
    office.get(password_url(driver), status=405)
    assert sign_in(make_staff()).post(password_url(driver), {}).status_code == 403


def test_clerk_sees_account_name_without_email(office: Browser) -> None:
    driver = make_driver(user=make_user(username="chen", email="chen@example.com"))
    page = change_url("driver", driver.pk)
    assert "chen@example.com" in office.get(page)
    shown = sign_in(make_staff("clerk")).get(page)
    assert ("chen" in shown, "chen@example.com" in shown) == (True, False)
