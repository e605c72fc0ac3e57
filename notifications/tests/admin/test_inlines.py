from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from notifications import admin
from notifications.models import NotificationHistory
from notifications.states import Status
from notifications.tests.factories import make_message, make_quiet_order
from orders.tests.factories import make_customer

pytestmark = pytest.mark.django_db
LIST = reverse("admin:notifications_notificationhistory_changelist")


def page_of(row: object) -> str:
    return reverse("admin:notifications_notificationhistory_change", args=[getattr(row, "pk")])  # noqa: B009


def test_a_customers_page_shows_the_newest_and_leads_to_all(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "NEWEST", 1)
    customer = make_customer(phone="0912-345-678")
    older, newer = (make_message(Status.SENT, order=make_quiet_order(customer=customer)) for _ in range(2))
    other = make_message(Status.SENT)
    shown = admin_client.get(reverse("admin:customers_customer_change", args=[customer.pk])).content.decode()
    assert page_of(newer) in shown
    assert page_of(older) not in shown
    whole = f"{LIST}?customer__id__exact={customer.pk}"
    assert whole in shown
    listed = admin_client.get(whole).content.decode()
    assert page_of(older) in listed
    assert page_of(other) not in listed


def test_a_new_customer_has_no_messages(admin_client: Client) -> None:
    assert admin_client.get(reverse("admin:customers_customer_add")).status_code == 200


def test_a_customer_is_saved_though_the_newest_messages_are_others_by_now(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "NEWEST", 1)
    customer = make_customer(phone="0912-345-678")
    shown = make_message(Status.SENT, order=make_quiet_order(customer=customer))
    make_message(Status.SENT, order=make_quiet_order(customer=customer))
    inline = {"TOTAL_FORMS": 1, "INITIAL_FORMS": 1, "0-id": shown.pk, "0-customer": customer.pk}
    form = {"name": "陳", "phone": "0912-345-678", "address": "台北市中正區", "language": "en", "is_active": "on"}
    page = reverse("admin:customers_customer_change", args=[customer.pk])
    answer = admin_client.post(page, form | {f"notifications-{name}": value for name, value in inline.items()})
    assert answer.status_code == 302
    customer.refresh_from_db()
    assert customer.name == "陳"
    assert NotificationHistory.objects.count() == 2
