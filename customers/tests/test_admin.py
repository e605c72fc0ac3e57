from __future__ import annotations

import re
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.urls import reverse

from customers.models import Customer
from orders.tests.admin.browser import Browser, Forms, change_url, shown_messages, sign_in
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_staff, make_user

pytestmark = pytest.mark.django_db


LIST = reverse("admin:customers_customer_changelist")


def account_url(customer: Customer, step: str) -> str:
    return reverse("admin:customers_customer_account", args=[customer.pk, step])


def press_button(customer: Customer, step: str) -> Any:
    browser = sign_in(make_office())
    return browser.post(account_url(customer, step), {})


@pytest.mark.parametrize("term", ["洪", "仁愛", "345678", "0934-345"])
def test_search_finds_by_name_address_and_telephone(office: Browser, term: str) -> None:
    make_customer(name="洪先生", phone="0934-345-678", address="台北市大安區仁愛路1號")
    make_customer(name="別人")
    shown = office.get(LIST, q=term)
    assert "洪先生" in shown
    assert "別人" not in shown


def test_list_masks_the_telephone(office: Browser) -> None:
    make_customer(phone="0912-345-678")
    shown = office.get(LIST)
    assert "0912-***-678" in shown
    assert "912345678" not in shown


def test_list_query_count_is_constant(office: Browser, django_assert_max_num_queries: Any) -> None:
    for _ in range(5):
        make_customer(user=make_user())
    office.get(LIST)
    with django_assert_max_num_queries(9):
        office.get(LIST)


def test_page_links_to_recent_orders(office: Browser) -> None:
    customer = make_customer()
    orders = [make_order(customer=customer) for _ in range(11)]
    shown = office.get(change_url("customer", customer.pk))
    assert change_url("order", orders[0].pk) not in shown
    assert all(change_url("order", order.pk) in shown for order in orders[1:])


def test_page_links_to_all_orders_of_the_customer(office: Browser) -> None:
    order, other = make_order(), make_order()
    page = office.get(change_url("customer", order.customer_id))
    (link,) = re.findall(r'href="([^"]*orders/order/\?customer__id__exact[^"]*)"', page)
    shown = office.get(link)
    assert order.order_number in shown
    assert other.order_number not in shown


@pytest.mark.django_db(transaction=True)
def test_new_account_uses_email_and_mails_password_link() -> None:
    customer = make_customer(name="王小姐", email="Wang@example.com", language="en")
    answer = press_button(customer, "open")
    customer.refresh_from_db()
    user = User.objects.get(username="wang@example.com")
    assert (customer.user, user.email, user.is_staff) == (user, "wang@example.com", False)
    assert [level for level, _ in shown_messages(answer)] == ["success"]
    (sent,) = mail.outbox
    assert sent.to == ["wang@example.com"]
    assert "You have an account “wang@example.com”" in str(sent.body)


@pytest.mark.django_db(transaction=True)
def test_mailed_link_sets_password() -> None:
    customer = make_customer(email="wang@example.com")
    press_button(customer, "open")
    (link,) = re.findall(r"http://127.0.0.1:8000(/\S+)", str(mail.outbox[0].body))
    client = Client(headers={"accept-language": "en"})
    page = client.get(link, follow=True)
    form_data = {"new_password1": "gas for the home", "new_password2": "gas for the home"}
    client.post(page.redirect_chain[-1][0], form_data)
    assert User.objects.get(username="wang@example.com").check_password("gas for the home")


@pytest.mark.parametrize(
    ("email", "message"),
    [("", "no e-mail"), ("a" * 140 + "@example.com", "too long"), ("taken@example.com", "already")],
)
def test_refused_account_shows_reason(email: str, message: str) -> None:
    make_user(username="taken", email="Taken@example.com", is_staff=True)
    customer = make_customer(email=email)
    answer = press_button(customer, "open")
    assert message in shown_messages(answer)[0][1]
    assert Customer.objects.get(pk=customer.pk).user is None
    assert mail.outbox == []


def test_second_account_is_refused() -> None:
    customer = make_customer(email="wang@example.com", user=make_user())
    assert shown_messages(press_button(customer, "open")) == [("error", "This customer already has an account.")]


@pytest.mark.django_db(transaction=True)
def test_failed_mail_shows_error() -> None:
    customer = make_customer(email="wang@example.com")
    with mock.patch("accounts.users.send_mail", side_effect=ConnectionRefusedError):
        answer = press_button(customer, "open")
    assert [level for level, _ in shown_messages(answer)] == ["error"]
    assert Customer.objects.get().user is not None


@pytest.mark.django_db(transaction=True)
def test_password_link_is_mailed_for_existing_account() -> None:
    press_button(make_customer(user=make_user(email="wang@example.com")), "link")
    assert [message.to for message in mail.outbox] == [["wang@example.com"]]


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("link", "This customer has no account. Please create one first."),
        ("close", "This customer has no account."),
    ],
)
def test_account_steps_without_account_are_refused(step: str, text: str) -> None:
    assert shown_messages(press_button(make_customer(), step)) == [("error", text)]


@pytest.mark.parametrize(
    ("account", "text"),
    [
        ({}, "The customer's account has no e-mail. Please enter one on the account's page."),
        (
            {"email": "wang@example.com", "is_active": False},
            "The customer's account is deactivated. Please activate it on the account's page.",
        ),
    ],
)
def test_password_link_needs_an_active_account_with_email(account: dict[str, Any], text: str) -> None:
    customer = make_customer(user=make_user(**account))
    assert shown_messages(press_button(customer, "link")) == [("error", text)]


def test_unlinked_account_is_deactivated() -> None:
    user = make_user()
    customer = make_customer(user=user)
    press_button(customer, "close")
    user.refresh_from_db()
    assert (Customer.objects.get().user, user.is_active) == (None, False)


def test_page_offers_only_possible_steps(office: Browser) -> None:
    without, having = make_customer(), make_customer(user=make_user())
    offered = [set(Forms(office.get(change_url("customer", row.pk))).forms) for row in (without, having)]
    assert account_url(without, "open") in offered[0]
    assert {account_url(having, "link"), account_url(having, "close")} <= offered[1]
    assert account_url(having, "open") not in offered[1]


def test_account_steps_need_post_and_permission(office: Browser) -> None:
    customer = make_customer(email="wang@example.com")
    office.get(account_url(customer, "open"), status=405)
    clerk = sign_in(make_staff("clerk"))
    assert account_url(customer, "open") not in clerk.get(change_url("customer", customer.pk))
    assert clerk.post(account_url(customer, "open"), {}).status_code == 403
    assert Customer.objects.get().user is None


def test_unknown_step_is_404(office: Browser) -> None:
    assert office.post(account_url(make_customer(), "nonsense"), {}).status_code == 404


CHOOSE = reverse("admin:customers_customer_choose")
FIELD = {"app_label": "orders", "model_name": "order", "field_name": "customer"}


def suggestions(office: Browser, term: str) -> list[dict[str, str]]:
    results: list[dict[str, str]] = office.client.get(CHOOSE, FIELD | {"term": term}).json()["results"]
    return results


def test_suggestions_distinguish_customers_of_same_name(office: Browser) -> None:
    one = make_customer(name="王小姐", phone="0912-345-678", address="台北市大安區信義路1號")
    two = make_customer(name="王小姐", phone="0922-345-999", address="台北市中正區羅斯福路1號")
    assert {row["id"]: row["text"] for row in suggestions(office, "王小姐")} == {
        str(one.pk): "王小姐 · 0912-***-678 · 台北市大安區信義路1號",
        str(two.pk): "王小姐 · 0922-***-999 · 台北市中正區羅斯福路1號",
    }


def test_customer_is_found_by_last_digits(office: Browser) -> None:
    customer = make_customer(phone="0912-345-678")
    make_customer(phone="0912-345-111")
    assert [row["id"] for row in suggestions(office, "5678")] == [str(customer.pk)]


def test_inactive_customer_is_not_offered(office: Browser) -> None:
    make_customer(name="王小姐", is_active=False)
    assert suggestions(office, "王") == []


@pytest.mark.parametrize("customer", ["abc", "9" * 40, "\0"])
def test_form_for_new_order_opens_with_invalid_customer_id(office: Browser, customer: str) -> None:
    office.get(reverse("admin:orders_order_add"), customer=customer)


def test_new_order_for_customer_preselects_customer(office: Browser) -> None:
    customer = make_customer(name="王小姐")
    assert "王小姐 · " in office.get(reverse("admin:orders_order_add"), customer=customer.pk)


@pytest.mark.parametrize("maker", [make_user, lambda: make_driver().user])
def test_suggestions_need_permission(maker: Any) -> None:
    make_customer(name="王小姐")
    answer = sign_in(maker()).client.get(CHOOSE, FIELD | {"term": "王"})
    assert answer.status_code in (302, 403)


@pytest.mark.parametrize("other", ["order.driver", "order.route", "orderitem.product"])
def test_suggestions_of_other_models_are_refused(office: Browser, other: str) -> None:
    make_driver()
    model, field = other.split(".")
    query = {"app_label": "orders", "model_name": model, "field_name": field, "term": ""}
    assert office.client.get(CHOOSE, query).status_code == 403
