from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from notifications.admin import COLOUR
from notifications.gateways.local import Memory
from notifications.models import NotificationHistory
from notifications.states import Status
from notifications.tests.factories import make_message, make_quiet_order
from orders import numbers
from orders.tests.factories import make_customer, make_staff

pytestmark = pytest.mark.django_db
LIST = reverse("admin:notifications_notificationhistory_changelist")


@pytest.fixture
def office() -> Client:
    """A clerk's browser, in English."""
    return sign_in("clerk")


def sign_in(role: str) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(make_staff(role))
    return client


def message(status: str = Status.FAILED, **fields: Any) -> NotificationHistory:
    return make_message(status, order=make_quiet_order(customer=make_customer(phone="0912-345-678")), **fields)


def page(row: NotificationHistory) -> str:
    return reverse("admin:notifications_notificationhistory_change", args=[row.pk])


def again(row: NotificationHistory) -> str:
    return reverse("admin:notifications_resend", args=[row.pk])


def test_the_list_shows_what_became_of_each(office: Client) -> None:
    row = message(status_reason="refused")
    shown = office.get(LIST).content.decode()
    assert str(row.order) in shown
    assert "badge bad" in shown
    assert "0912-***-678" in shown
    assert "912345678" not in shown


def test_the_list_takes_the_same_queries_for_any_length(office: Client) -> None:
    counts = []
    office.get(LIST)  # makes the log's one row
    for _ in range(2):
        message()
        with CaptureQueriesContext(connection) as queries:
            office.get(LIST)
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("text", ["678", "45678", "345-678", "0912-345-678", "1111-1111"])
def test_search_by_the_digits_of_the_telephone_or_the_order(
    office: Client, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Orders are found by the same search: a number drawn at random may hold the digits too.
    monkeypatch.setattr(numbers, "new_order_number", iter(["1111-1111", "2222-2222"]).__next__)
    found, other = make_customer(phone="0912-345-678"), make_customer(phone="0987654321")
    row = make_message(Status.FAILED, order=make_quiet_order(customer=found))
    make_message(Status.FAILED, order=make_quiet_order(customer=other))
    shown = office.get(LIST, {"q": text}).content.decode()
    assert str(row.order) in shown
    assert other.name not in shown


def test_not_even_a_superuser_writes_history(admin_client: Client) -> None:
    row = message()
    assert admin_client.post(page(row), {"status": "sent"}).status_code == 403
    assert [admin_client.get(LIST + path).status_code for path in ("add/", f"{row.pk}/delete/")] == [403, 403]


@pytest.mark.parametrize(("role", "shown"), [("clerk", "0912-***-678"), ("manager", "+886912345678")])
def test_the_page_shows_the_whole_number_to_who_may_see_it(role: str, shown: str) -> None:
    found = sign_in(role).get(page(message())).content.decode()
    assert (shown in found, "912345678" in found) == (True, role == "manager")


@pytest.mark.django_db(transaction=True)
def test_the_button_sends_again_and_says_the_outcome(office: Client) -> None:
    row = message()
    answer = office.post(again(row), follow=True)
    second = NotificationHistory.objects.get(resend_of=row)
    assert answer.redirect_chain == [(page(second), 302)]
    assert second.status == Status.SENT
    assert "(1)" in [str(line) for line in answer.context["messages"]][0]
    assert again(second) in office.get(page(second)).content.decode()
    # Of the first there is a newer one already.
    shown = office.get(page(row)).content.decode()
    assert page(second) in shown
    assert again(row) not in shown


def test_the_button_says_why_not(office: Client) -> None:
    assert office.get(again(message())).status_code == 405
    assert office.post(again(NotificationHistory())).status_code == 404
    with translation.override("en"):
        answer = office.post(again(message(Status.SUPPRESSED, status_reason="no_mobile")), follow=True)
    assert [line.level_tag for line in answer.context["messages"]] == ["warning"]
    assert Memory.outbox == []


@pytest.mark.django_db(transaction=True)
def test_the_customers_wish_is_overruled_only_by_who_may(office: Client) -> None:
    row = message(Status.SUPPRESSED, status_reason="opt_out", attempts=0)
    assert again(row) not in office.get(page(row)).content.decode()
    assert office.post(again(row), {"overrule": "yes"}).status_code == 403
    row.refresh_from_db()
    assert (row.status, row.overruled, Memory.outbox) == (Status.SUPPRESSED, False, [])
    boss = sign_in("manager")
    assert again(row) in boss.get(page(row)).content.decode()
    boss.post(again(row), {"overrule": "yes"})
    row.refresh_from_db()
    assert (row.status, row.overruled) == (Status.SENT, True)


@pytest.mark.django_db(transaction=True)
def test_the_action_sends_several(office: Client) -> None:
    rows = [message(), message(), message(Status.SUPPRESSED, status_reason="opt_out")]
    chosen = {"action": "send_again", "_selected_action": [str(row.pk) for row in rows]}
    answer = office.post(LIST, chosen, follow=True)
    assert len(Memory.outbox) == 2
    assert sorted(line.level_tag for line in answer.context["messages"]) == ["info", "warning"]


def test_the_action_sends_no_more_than_a_hundred(office: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifications.admin.MOST_AT_ONCE", 1)
    rows = [message(), message()]
    chosen = {"action": "send_again", "_selected_action": [str(row.pk) for row in rows]}
    answer = office.post(LIST, chosen, follow=True)
    assert [line.level_tag for line in answer.context["messages"]] == ["error"]
    assert not NotificationHistory.objects.exclude(resend_of=None).exists()


@pytest.mark.parametrize("chosen", ["abc", "1", "\0", "0" * 40])
def test_a_selection_that_is_none_is_said(office: Client, chosen: str) -> None:
    answer = office.post(LIST, {"action": "send_again", "_selected_action": [str(message().pk), chosen]}, follow=True)
    assert [line.level_tag for line in answer.context["messages"]] == ["error"]
    assert not NotificationHistory.objects.exclude(resend_of=None).exists()


def test_an_orders_page_shows_its_messages(admin_client: Client) -> None:
    row = message(Status.FAILED, status_reason="refused")
    shown = admin_client.get(reverse("admin:orders_order_change", args=[row.order_id])).content.decode()
    assert page(row) in shown
    assert "badge bad" in shown


def test_every_status_has_a_colour() -> None:
    assert set(COLOUR) == set(Status)
