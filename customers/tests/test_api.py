from __future__ import annotations

from typing import Any

import pytest

from customers.api import DRIVER_FIELDS
from customers.models import Customer
from orders.states import OrderStatus
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_staff, make_user

pytestmark = pytest.mark.django_db


def test_office_creates_customer() -> None:
    value = {"name": "王小姐", "phone": "０９１２－３４５－６７８", "address": "台北市大安區信義路四段1號"}
    answer = make_api("office").post("customers/", value)
    customer = Customer.objects.get()
    assert (answer.status_code, customer.phone, customer.area) == (201, "+886912345678", "大安區")


@pytest.mark.parametrize(
    "typed",
    ["(+886) 912-345-678", "tel:0912-345-678", "0912‑345‑678", "0912.345.678", "\u200e0912345678\u200b", "912345678"],
)
def test_pasted_number_is_normalised_and_found(typed: str) -> None:
    api = make_api("office")
    value = {"name": "王小姐", "phone": typed, "address": "台北市大安區信義路四段1號"}
    assert api.post("customers/", value).json()["phone"] == "+886912345678"
    make_order(customer=Customer.objects.get())
    assert (api.get("customers/", q=typed).json()["count"], api.get("orders/", q=typed).json()["count"]) == (1, 1)


@pytest.mark.parametrize("typed", ["8792-1234", "04-7222333-5", "02-2792-1234~6"])
def test_ambiguous_number_is_refused(typed: str) -> None:
    value = {"name": "王小姐", "phone": typed, "address": "台北市大安區信義路四段1號"}
    assert codes(make_api("office").post("customers/", value)) == [("invalid_phone", "phone")]
    assert not Customer.objects.exists()


def test_number_with_extension_survives_round_trip() -> None:
    customer, api = make_customer(phone="02-29300016 分機29"), make_api("office")
    value = api.get(f"customers/{customer.pk}/").json()["phone"]
    api.patch(f"customers/{customer.pk}/", {"phone": value})
    customer.refresh_from_db()
    assert customer.phone == value == "+886229300016;ext=29"


def test_office_deactivates_customer() -> None:
    customer = make_customer()
    assert make_api("office").patch(f"customers/{customer.pk}/", {"is_active": False}).status_code == 200
    customer.refresh_from_db()
    assert not customer.is_active


def test_numbers_are_masked_only_in_list() -> None:
    customer, api = make_customer(phone="0912-345-678"), make_api("office")
    assert api.get(f"customers/{customer.pk}/").json()["phone"] == "+886912345678"
    assert api.get("customers/").json()["results"][0]["phone"] == "0912-***-678"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("phone", "09000000", "invalid_phone"), ("phone", "請打家裡", "invalid_phone"),
        ("phone", "x" * 65, "invalid_phone"),
        ("email", "x", "invalid"), ("name", "", "blank"), ("name", "x" * 101, "max_length"),
        ("latitude", 91, "max_value"), ("latitude", "nan", "invalid"),
        ("longitude", "inf", "invalid"), ("language", "fr", "invalid_choice"),
        ("notes", "x" * 2001, "max_length"), ("user", 10**30, "does_not_exist"), ("is_actve", True, "unknown_field"),
        ("sms_opt_out", "perhaps", "invalid"),
    ],
)  # fmt: skip
def test_invalid_customer_is_refused(field: str, value: Any, code: str) -> None:
    payload = {"name": "王", "address": "台北市", field: value}
    answer = make_api("office").post("customers/", payload)
    assert (answer.status_code, codes(answer)) == (400, [(code, field)])
    assert not Customer.objects.exists()


def test_account_belongs_to_one_customer() -> None:
    user = make_customer(user=make_user()).user
    assert user is not None
    answer = make_api("office").post("customers/", {"name": "王", "address": "台北市", "user": user.pk})
    assert (answer.status_code, codes(answer)) == (400, [("unique", "user")])


def test_manager_cannot_link_manager_or_owner_account_to_customer() -> None:
    customer, api = make_customer(), make_api("office")
    for user in (make_office(), make_user(is_superuser=True)):
        new = api.post("customers/", {"name": "王", "address": "台北市", "user": user.pk})
        old = api.patch(f"customers/{customer.pk}/", {"user": user.pk})
        for answer in (new, old):
            assert (answer.status_code, codes(answer)) == (403, [("forbidden", "user")])
    assert Customer.objects.get().user is None


def test_manager_can_link_account_without_role() -> None:
    customer, user = make_customer(), make_user()
    assert make_api("office").patch(f"customers/{customer.pk}/", {"user": user.pk}).status_code == 200
    assert Customer.objects.get().user == user


def test_clerks_cannot_link_or_unlink_accounts() -> None:
    user = make_user()
    linked, other, api = make_customer(user=user), make_customer(), Api(make_staff("clerk"))
    for customer, value in ((linked, None), (other, make_user().pk)):
        answer = api.patch(f"customers/{customer.pk}/", {"user": value})
        assert (answer.status_code, codes(answer)) == (403, [("forbidden", "user")])
    assert Customer.objects.get(pk=linked.pk).user == user


def test_owner_can_link_manager_account_to_customer() -> None:
    boss, value = make_office(is_superuser=True), {"name": "王", "address": "台北市", "user": make_office().pk}
    assert Api(boss).post("customers/", value).status_code == 201


def test_manager_can_edit_customer_with_manager_account() -> None:
    customer = make_customer(user=make_office())
    answer = make_api("office").patch(f"customers/{customer.pk}/", {"name": "王", "user": customer.user_id})
    assert answer.status_code == 200


def test_driver_reads_customers_of_own_open_orders() -> None:
    driver, seen, done = make_driver(), make_customer(), make_customer()
    make_customer()
    for _ in range(2):
        make_order(OrderStatus.ASSIGNED, driver=driver, customer=seen)
    make_order(OrderStatus.DELIVERED, driver=driver, customer=done)
    api = Api(driver.user)
    (row,) = api.get("customers/").json()["results"]
    assert (row["id"], set(row)) == (seen.pk, set(DRIVER_FIELDS))
    assert api.get(f"customers/{done.pk}/").status_code == 404


def test_numbers_ending_with_typed_digits_come_first() -> None:
    for name, phone in (("a", "0912-011-345"), ("b", "0912-345-011"), ("c", "0912-201-222")):
        make_customer(name=name, phone=phone)
    found = make_api("office").get("customers/", q="011").json()["results"]
    assert [customer["name"] for customer in found] == ["b", "a"]
