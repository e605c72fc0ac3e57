from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from customers.models import Customer
from notifications import queue
from notifications.gateways.local import Memory
from notifications.models import GatewayState, MessageTemplate, NotificationHistory
from notifications.states import Kind, Reason, Status
from notifications.tests.factories import make_message, make_quiet_order
from notifications.timeline import moment, story
from orders.models import Change
from orders.states import Status as OrderStatus
from orders.tests.factories import make_office, make_order
from web.actors import Actor

pytestmark = pytest.mark.django_db
AT = datetime.fromisoformat("2026-11-23T10:02:07+08:00")


def told(row: NotificationHistory) -> str:
    with translation.override("en"):
        return story(row)


def page(row: NotificationHistory) -> str:
    return reverse("admin:notifications_notificationhistory_change", args=[row.pk])


def test_the_story_begins_with_what_moved_the_order_and_who() -> None:
    order = make_order()
    order.transition_to(OrderStatus.CONFIRMED, by=make_office(first_name="Ming", last_name="Wang"))
    said = told(order.notifications.get())
    assert "The order: Pending → Confirmed, by Ming Wang (" in said
    assert said.index("The order:") < said.index("The message was made.")


def test_the_story_has_each_step_with_its_time() -> None:
    row = make_message(Status.DELIVERED)
    row.trail.create(status=Status.SENT, gateway="mitake", raw_status="1", at=AT)
    row.trail.create(status=Status.FAILED, gateway="mitake", raw_status="t", reason=Reason.REFUSED, at=AT)
    row.trail.create(status=Status.DELIVERED, reply="<b>謝謝</b>", at=AT)
    said = told(row)
    assert "<time>11/23 10:02:07</time> Sent (mitake) [1]" in said
    assert "Failed (mitake): refused by the provider [t]" in said
    assert "The customer answered: “&lt;b&gt;謝謝&lt;/b&gt;”" in said


@pytest.mark.parametrize("status", Status)
def test_every_status_ends_with_what_may_be_done(status: Status) -> None:
    assert told(make_message(status, status_reason=Reason.OPT_OUT)).endswith(".</li></ul>")


def shown(client: Client, row: NotificationHistory) -> tuple[str, bool]:
    """The last line of the story, and whether there is a button."""
    page_ = client.get(page(row), headers={"accept-language": "en"}).content.decode()
    return told(row).rpartition("</time> ")[2].removesuffix("</li></ul>"), "/resend/" in page_


def test_a_message_that_waits_says_until_when(admin_client: Client, settings: Any) -> None:
    row = make_message(send_after=timezone.now() + timedelta(hours=1))
    said = f"It waits until {moment(row.send_after)}, and is then sent by itself."
    assert shown(admin_client, row) == (said, False)
    row.send_after, settings.SMS_QUIET_HOURS = None, "00:00-23:59"
    row.save()
    with time_machine.travel(AT, tick=False):
        admin_client.force_login(make_office(is_superuser=True))
        assert shown(admin_client, row) == ("It waits until 11/23 23:59:00, and is then sent by itself.", False)


def test_a_message_that_waits_for_its_channel_says_so(admin_client: Client, settings: Any) -> None:
    GatewayState.objects.create(gateway=settings.SMS_GATEWAY, stopped_at=AT)
    row = make_message()
    assert shown(admin_client, row) == ("It waits until the channel is started again.", False)
    Customer.objects.filter(pk=row.customer_id).unannounced().update(phone="02-2930-0016", email="a@example.org")
    assert shown(admin_client, NotificationHistory.objects.get(pk=row.pk))[1]


@pytest.mark.parametrize("status", [Status.FAILED, Status.SENT, Status.UNKNOWN, Status.PENDING, Status.SUPPRESSED])
def test_what_is_no_longer_true_has_no_button(admin_client: Client, status: Status) -> None:
    row = make_message(status, order=make_quiet_order(OrderStatus.DELIVERED), status_reason=Reason.OPT_OUT)
    assert shown(admin_client, row) == ("It cannot be sent: no longer true when its turn came.", False)


def test_what_the_customer_no_longer_wants_waits_for_nobody(admin_client: Client) -> None:
    row = make_message()
    Customer.objects.filter(pk=row.customer_id).unannounced().update(sms_opt_out=True)
    row = NotificationHistory.objects.get(pk=row.pk)
    assert shown(admin_client, row) == ("It cannot be sent: the customer wants no such SMS.", False)


def test_only_a_sending_that_died_has_a_button(admin_client: Client) -> None:
    assert not shown(admin_client, make_message(Status.SENDING, claimed_at=timezone.now()))[1]
    assert shown(admin_client, make_message(Status.SENDING, claimed_at=timezone.now() - timedelta(hours=1)))[1]


def test_a_reschedule_is_told_with_who_did_it() -> None:
    order = make_quiet_order()
    MessageTemplate.objects.create(kind=Kind.ORDER_RESCHEDULED, is_on=True)
    order.scheduled_date += timedelta(days=1)
    order.save(change=Change(Actor(by=make_office(username="lin"))))
    row = order.notifications.get()
    assert "The order got another day or time, by lin." in told(row)
    row = make_message(order=order, kind=row.kind, resend_of=row, requested_by=make_office(), caused_by=row.caused_by)
    assert "The order got another day or time, by lin." in told(row)
    row.caused_by = None
    assert "by the system." in told(row)


def test_who_repeats_an_unknown_one_is_named(settings: Any) -> None:
    settings.SMS_GATEWAY = "http"
    row = make_message(Status.UNKNOWN, gateway="http", requested_by=make_office(username="lin"))
    queue.prepare(row, make_office(username="wang"))
    assert "Sent again; asked for by wang" in told(row)
    assert str(row.requested_by) == "lin"


def test_the_older_of_two_points_to_the_newer() -> None:
    row = make_message(Status.FAILED)
    newer = make_message(order=row.order, resend_of=row, requested_by=make_office(username="lin"))
    assert page(newer) in told(row)
    assert "Sent again; asked for by lin" in told(newer)


@pytest.mark.django_db(transaction=True)
def test_what_our_rules_kept_back_is_sent_nevertheless_with_who_asked(admin_client: Client, admin_user: object) -> None:
    row = make_message(Status.SENDING, attempts=0)
    Customer.objects.filter(pk=row.customer_id).unannounced().update(sms_opt_out=True)
    row.move(Status.SENDING, Status.PENDING)
    row.move(Status.PENDING, Status.SUPPRESSED, status_reason=Reason.OPT_OUT)
    shown = admin_client.get(page(row), headers={"accept-language": "en"}).content.decode()
    assert "Send nevertheless" in shown
    assert 'name="overrule" value="yes"' in shown
    admin_client.post(reverse("admin:notifications_resend", args=[row.pk]), {"overrule": "yes"})
    row.refresh_from_db()
    assert (row.status, row.overruled, row.requested_by) == (Status.SENT, True, admin_user)
    assert len(Memory.outbox) == 1
    assert "To be sent nevertheless; asked for by admin" in told(row)


@pytest.mark.parametrize(("status", "reason"), [(Status.SUPPRESSED, Reason.NO_MOBILE), (Status.CANCELLED, "overtaken")])
def test_what_nobody_may_send_has_no_button(admin_client: Client, status: Status, reason: str) -> None:
    row = make_message(status, status_reason=reason)
    assert "/resend/" not in admin_client.get(page(row)).content.decode()


def test_the_page_says_what_it_cost_and_why_it_failed(admin_client: Client) -> None:
    row = make_message(Status.FAILED, status_reason=Reason.REFUSED, error_message="no such account", points="1.50")
    shown = admin_client.get(page(row), headers={"accept-language": "en"}).content.decode()
    assert "refused by the provider: no such account" in shown
    assert "1.5 points" in shown
