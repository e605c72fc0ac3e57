from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications.models import GatewayState
from orders.tests.factories import make_staff

pytestmark = pytest.mark.django_db
PAGE = reverse("admin:notifications_gatewaystate_change", args=["mitake"])
START = reverse("admin:notifications_gateway_start", args=["mitake"])
MESSAGES = reverse("admin:notifications_notificationhistory_changelist")


@pytest.fixture
def stopped() -> GatewayState:
    return GatewayState.objects.create(
        gateway="mitake", stopped_at=timezone.now(), stopped_because="e wrong account", balance=12
    )


def reader() -> Client:
    client = Client()
    client.force_login(make_staff("clerk"))
    return client


def test_stopped_gateway_is_shown_above_the_messages(admin_client: Client, stopped: GatewayState) -> None:
    assert "e wrong account" in admin_client.get(MESSAGES).content.decode()
    stopped.start()
    assert "e wrong account" not in admin_client.get(MESSAGES).content.decode()


@pytest.mark.django_db(transaction=True)
def test_button_starts_gateway_again(admin_client: Client, stopped: GatewayState) -> None:
    assert START in admin_client.get(PAGE).content.decode()
    answer = admin_client.post(START, follow=True)
    assert [line.level_tag for line in answer.context["messages"]] == ["success"]
    stopped.refresh_from_db()
    assert stopped.stopped_at is None
    assert START not in answer.content.decode()
    again = admin_client.post(START, follow=True)
    assert [line.level_tag for line in again.context["messages"]] == ["warning"]


def test_reader_cannot_start_gateway(stopped: GatewayState) -> None:
    client = reader()
    shown = client.get(PAGE).content.decode()
    assert "e wrong account" in shown
    assert START not in shown
    assert client.post(START).status_code == 403
    stopped.refresh_from_db()
    assert stopped.stopped_at


def test_start_needs_post_and_a_known_gateway(admin_client: Client, stopped: GatewayState) -> None:
    assert admin_client.get(START).status_code == 405
    assert admin_client.post(reverse("admin:notifications_gateway_start", args=["none"])).status_code == 404


def test_gateway_state_is_read_only(admin_client: Client, stopped: GatewayState) -> None:
    admin_client.post(PAGE, {"stopped_because": "x", "balance": "99"})
    stopped.refresh_from_db()
    assert stopped.stopped_because == "e wrong account"
    assert stopped.balance == 12
    assert admin_client.get(reverse("admin:notifications_gatewaystate_add")).status_code == 403
