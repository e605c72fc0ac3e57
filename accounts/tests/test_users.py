from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from accounts import users
from customers import accounts
from customers.models import Customer
from orders.tests.factories import make_customer, make_driver, make_office, make_staff, make_user
from web.refusals import Refusal

pytestmark = pytest.mark.django_db


def test_reopened_account_does_not_accept_the_old_password() -> None:
    customer = make_customer(email="wang@example.com")
    user = accounts.open_account(customer)
    user.set_password("of before")
    user.save()
    accounts.close_account(customer)
    assert accounts.open_account(Customer.objects.get()) == user
    # The e-mail address may belong to somebody else now, so the old password must not work.
    again = User.objects.get(pk=user.pk)
    assert (again.is_active, again.check_password("of before")) == (True, False)


def test_new_account_has_a_usable_password_so_that_it_can_be_reset() -> None:
    user = accounts.open_account(make_customer(email="wang@example.com"))
    assert user.has_usable_password()


@pytest.mark.parametrize("kind", ["driver", "staff", "other name"])
def test_e_mail_of_another_account_is_refused(kind: str) -> None:
    if kind == "driver":
        make_driver(user=make_user(username="wang@example.com", email="wang@example.com"))
    elif kind == "staff":
        make_office(username="wang@example.com", email="wang@example.com")
    else:
        make_user(username="wang", email="WANG@example.com")
    with pytest.raises(Refusal) as refused:
        accounts.open_account(make_customer(email="wang@example.com"))
    assert refused.value.code == "email_taken"


def test_second_customer_with_the_same_e_mail_is_refused() -> None:
    accounts.open_account(make_customer(email="wang@example.com"))
    with pytest.raises(Refusal):
        accounts.open_account(make_customer(email="wang@example.com"))


def test_account_of_a_driver_stays_active_when_its_customer_is_unlinked() -> None:
    driver = make_driver()
    accounts.close_account(make_customer(user=driver.user))
    assert User.objects.get(pk=driver.user_id).is_active


def test_existing_user_name_is_refused() -> None:
    make_user(username="chen")
    with pytest.raises(Refusal) as refused:
        users.create_account("chen", "", "陳志明", "x")
    assert (refused.value.code, refused.value.attr) == ("username_taken", "username")


def test_managers_manage_all_but_managers_and_owners() -> None:
    accounts_by_role = {name: make_staff(name) for name in ("owner", "manager", "clerk")} | {
        "driver": make_driver().user
    }
    managed = {
        (by, name)
        for by in accounts_by_role
        for name, account in accounts_by_role.items()
        if users.may_manage(accounts_by_role[by], account)
    }
    below = {("manager", name) for name in ("clerk", "driver")}
    assert managed == {("owner", name) for name in accounts_by_role} | below


def test_superuser_counts_as_owner_also_while_deactivated() -> None:
    boss = make_staff("clerk", is_superuser=True, is_active=False)
    assert not users.may_manage(make_staff("manager"), boss)
    assert users.may_manage(make_staff("owner"), boss)


def test_passwords_differ_and_are_long_enough() -> None:
    passwords = {users.new_password() for _ in range(100)}
    assert len(passwords) == 100
    assert {len(password) for password in passwords} == {12}
