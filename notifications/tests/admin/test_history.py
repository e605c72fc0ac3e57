from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from customers.models import Customer
from notifications import admin, queue
from notifications.admin import COLOUR, DAYS, totals
from notifications.gateways.local import Memory
from notifications.models import GatewayState, MessageTemplate, NotificationHistory
from notifications.states import MessageKind, MessageStatus, Reason
from notifications.tests.factories import make_message, make_quiet_order
from notifications.timeline import format_time, render_timeline
from orders import numbers
from orders.models import Change
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_office, make_order, make_staff
from web import charts
from web.actors import Actor
from web.charts import Series
from web.csv_export import BYTE_ORDER_MARK

pytestmark = pytest.mark.django_db


LIST = reverse("admin:notifications_notificationhistory_changelist")


@pytest.fixture
def office() -> Client:
    """A test client in which a clerk is signed in, in English."""
    return sign_in("clerk")


def sign_in(role: str) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(make_staff(role))
    return client


def message(status: str = MessageStatus.FAILED, **fields: Any) -> NotificationHistory:
    return make_message(status, order=make_quiet_order(customer=make_customer(phone="0912-345-678")), **fields)


def page(row: NotificationHistory) -> str:
    return reverse("admin:notifications_notificationhistory_change", args=[row.pk])


def resend_url(row: NotificationHistory) -> str:
    return reverse("admin:notifications_resend", args=[row.pk])


def test_list_shows_status_of_each_message(office: Client) -> None:
    row = message(status_reason="refused")
    shown = office.get(LIST).content.decode()
    assert str(row.order) in shown
    assert "badge bad" in shown
    assert "0912-***-678" in shown
    assert "912345678" not in shown


def test_list_takes_constant_queries(office: Client) -> None:
    counts = []
    office.get(LIST)  # a first request may create rows
    for _ in range(2):
        message()
        with CaptureQueriesContext(connection) as queries:
            office.get(LIST)
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("text", ["678", "45678", "345-678", "0912-345-678", "1111-1111"])
def test_search_finds_digits_of_telephone_or_order(office: Client, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Fixed order numbers, because a random one could contain the digits too.
    monkeypatch.setattr(numbers, "new_order_number", iter(["1111-1111", "2222-2222"]).__next__)
    found, other = make_customer(phone="0912-345-678"), make_customer(phone="0987654321")
    row = make_message(MessageStatus.FAILED, order=make_quiet_order(customer=found))
    make_message(MessageStatus.FAILED, order=make_quiet_order(customer=other))
    shown = office.get(LIST, {"q": text}).content.decode()
    assert str(row.order) in shown
    assert other.name not in shown


def test_superuser_cannot_change_history(admin_client: Client) -> None:
    row = message()
    assert admin_client.post(page(row), {"status": "sent"}).status_code == 403
    assert [admin_client.get(LIST + path).status_code for path in ("add/", f"{row.pk}/delete/")] == [403, 403]


@pytest.mark.parametrize(("role", "shown"), [("clerk", "0912-***-678"), ("manager", "+886912345678")])
def test_page_shows_whole_number_by_permission(role: str, shown: str) -> None:
    found = sign_in(role).get(page(message())).content.decode()
    assert (shown in found, "912345678" in found) == (True, role == "manager")


@pytest.mark.django_db(transaction=True)
def test_button_sends_again_and_shows_outcome(office: Client) -> None:
    row = message()
    answer = office.post(resend_url(row), follow=True)
    second = NotificationHistory.objects.get(resend_of=row)
    assert answer.redirect_chain == [(page(second), 302)]
    assert second.status == MessageStatus.SENT
    assert "(1)" in [str(line) for line in answer.context["messages"]][0]
    assert resend_url(second) in office.get(page(second)).content.decode()
    # The first message has a newer one already.
    shown = office.get(page(row)).content.decode()
    assert page(second) in shown
    assert resend_url(row) not in shown


def test_button_shows_why_message_is_not_sent(office: Client) -> None:
    assert office.get(resend_url(message())).status_code == 405
    assert office.post(resend_url(NotificationHistory())).status_code == 404
    with translation.override("en"):
        answer = office.post(resend_url(message(MessageStatus.SUPPRESSED, status_reason="no_mobile")), follow=True)
    assert [line.level_tag for line in answer.context["messages"]] == ["warning"]
    assert Memory.outbox == []


@pytest.mark.django_db(transaction=True)
def test_overruling_an_opt_out_needs_permission(office: Client) -> None:
    row = message(MessageStatus.SUPPRESSED, status_reason="opt_out", attempts=0)
    assert resend_url(row) not in office.get(page(row)).content.decode()
    assert office.post(resend_url(row), {"overrule": "yes"}).status_code == 403
    row.refresh_from_db()
    assert (row.status, row.overruled, Memory.outbox) == (MessageStatus.SUPPRESSED, False, [])
    boss = sign_in("manager")
    assert resend_url(row) in boss.get(page(row)).content.decode()
    boss.post(resend_url(row), {"overrule": "yes"})
    row.refresh_from_db()
    assert (row.status, row.overruled) == (MessageStatus.SENT, True)


@pytest.mark.django_db(transaction=True)
def test_action_resends_what_may_be_sent(office: Client) -> None:
    rows = [message(), message(), message(MessageStatus.SUPPRESSED, status_reason="opt_out")]
    chosen = {"action": "send_again", "_selected_action": [str(row.pk) for row in rows]}
    answer = office.post(LIST, chosen, follow=True)
    assert len(Memory.outbox) == 2
    assert sorted(line.level_tag for line in answer.context["messages"]) == ["info", "warning"]


def test_action_refuses_too_many_messages(office: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notifications.admin.MAX_AT_ONCE", 1)
    rows = [message(), message()]
    chosen = {"action": "send_again", "_selected_action": [str(row.pk) for row in rows]}
    answer = office.post(LIST, chosen, follow=True)
    assert [line.level_tag for line in answer.context["messages"]] == ["error"]
    assert not NotificationHistory.objects.exclude(resend_of=None).exists()


@pytest.mark.parametrize("chosen", ["abc", "1", "\0", "0" * 40])
def test_invalid_selection_is_reported(office: Client, chosen: str) -> None:
    answer = office.post(LIST, {"action": "send_again", "_selected_action": [str(message().pk), chosen]}, follow=True)
    assert [line.level_tag for line in answer.context["messages"]] == ["error"]
    assert not NotificationHistory.objects.exclude(resend_of=None).exists()


def test_order_page_shows_its_messages(admin_client: Client) -> None:
    row = message(MessageStatus.FAILED, status_reason="refused")
    shown = admin_client.get(reverse("admin:orders_order_change", args=[row.order_id])).content.decode()
    assert page(row) in shown
    assert "badge bad" in shown


def test_every_status_has_a_colour() -> None:
    assert set(COLOUR) == set(MessageStatus)


EXPORT = reverse("admin:notifications_export")


def failed_message(status: str = MessageStatus.FAILED, **fields: Any) -> NotificationHistory:
    order = make_quiet_order(customer=make_customer(phone="0912-345-678", name=fields.pop("name", "陳")))
    return make_message(status, order=order, **fields)


def read_csv(client: Client, **query: str) -> list[dict[str, str]]:
    answer = client.get(EXPORT, query, headers={"accept-language": "en"})
    text = answer.getvalue().decode()
    assert text[0] == BYTE_ORDER_MARK
    return list(csv.DictReader(io.StringIO(text[1:])))


def test_csv_holds_filtered_rows_with_masked_numbers(admin_client: Client) -> None:
    row = failed_message(content="瓦斯, “已確認”\n第二行", status_reason="refused")
    failed_message(MessageStatus.DELIVERED)
    [line] = read_csv(admin_client, status__exact="failed", p="1")
    assert (line["recipient"], line["status"], line["reason"]) == ("0912-***-678", "Failed", "refused by the provider")
    assert (line["order"], line["text"]) == (str(row.order), row.content)


def test_no_cell_is_a_formula(admin_client: Client) -> None:
    failed_message(name="=HYPERLINK(1)", content="@x", raw_status="-1", error_message=" +1")
    [line] = read_csv(admin_client)
    found = (line["customer"], line["text"], line["provider's status"], line["error"])
    assert found == ("'=HYPERLINK(1)", "'@x", "'-1", "' +1")


def test_csv_says_when_rows_are_missing(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        failed_message()
    monkeypatch.setattr(admin, "MAX_ROWS", 2)
    lines = admin_client.get(EXPORT, headers={"accept-language": "en"}).getvalue().decode().splitlines()
    assert len(lines) == 4
    assert "first 2 messages" in lines[-1]


def test_csv_at_the_limit_is_complete(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    failed_message()
    monkeypatch.setattr(admin, "MAX_ROWS", 1)
    assert len(admin_client.get(EXPORT).getvalue().decode().splitlines()) == 2


def test_clerks_cannot_export() -> None:
    client = Client()
    client.force_login(make_staff("clerk"))
    assert EXPORT not in client.get(LIST).content.decode()
    assert client.get(EXPORT).status_code == 403


@pytest.mark.parametrize("days", [{"created_at__year": "9999"}, {"created_at__year": "1", "created_at__month": "1"}])
def test_invalid_filter_causes_no_server_error(admin_client: Client, days: dict[str, str]) -> None:
    assert admin_client.get(EXPORT, days).status_code < 500


@pytest.mark.django_db(transaction=True)
async def test_csv_is_streamed_under_asgi(admin_user: Any) -> None:
    client = AsyncClient()
    await client.aforce_login(admin_user)
    answer: Any = await client.get(EXPORT)
    assert answer.is_async
    assert b"".join([part async for part in answer]).startswith(BYTE_ORDER_MARK.encode())


ROWS = NotificationHistory.objects


def test_no_totals_without_messages() -> None:
    assert totals(ROWS.all()) is None


def test_totals_count_only_the_newest_days() -> None:
    for status in (
        MessageStatus.DELIVERED,
        MessageStatus.SENT,
        MessageStatus.FAILED,
        MessageStatus.EXPIRED,
        MessageStatus.UNKNOWN,
        MessageStatus.SUPPRESSED,
    ):
        make_message(status, gateway="mitake", points=2)
    make_message(MessageStatus.SENT, created_at=timezone.now() - timedelta(days=DAYS))
    found = totals(ROWS.all())
    assert found
    assert found["sum"]["counts"] == {"delivered": 1, "sent": 1, "unknown": 1, "failed": 2}
    assert (found["sum"]["points"], found["taken"], found["delivered"]) == (12, "60 %", "50 %")
    assert (found["taken_low"], found["delivered_low"], found["goal"]) == (True, True, "95 %")


def test_chart_includes_days_without_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[Sequence[str], Sequence[Series]]] = []

    def bars(labels: Sequence[str], series: Sequence[Series]) -> bytes:
        drawn.append((labels, series))
        return b"<svg/>"

    monkeypatch.setattr(charts, "bars", bars)
    make_message(MessageStatus.SENT, created_at=timezone.now() - timedelta(days=2))
    for status in (MessageStatus.DELIVERED, MessageStatus.FAILED, MessageStatus.EXPIRED):
        make_message(status)
    found = totals(ROWS.all())
    assert found
    assert found["image"].startswith("data:image/svg+xml;base64,")
    ((labels, series),) = drawn
    assert (len(labels), [one.values[-3:] for one in series]) == (
        DAYS,
        [(0, 0, 1), (1, 0, 0), (0, 0, 0), (0, 0, 2)],
    )


def test_totals_follow_the_filters(admin_client: Client) -> None:
    make_message(MessageStatus.DELIVERED)
    make_message(MessageStatus.FAILED)
    shown = admin_client.get(LIST, {"status__exact": "failed"}).context_data or {}
    assert shown["totals"]["sum"]["counts"] == {"delivered": 0, "sent": 0, "unknown": 0, "failed": 1}


def test_totals_take_constant_queries(admin_client: Client) -> None:
    counts = []
    for days in range(3):
        make_message(MessageStatus.SENT, created_at=timezone.now() - timedelta(days=days))
        with CaptureQueriesContext(connection) as queries:
            totals(ROWS.all())
        counts.append(len(queries))
    assert counts == [2, 2, 2]


AT = datetime.fromisoformat("2026-11-23T10:02:07+08:00")


def english_timeline(row: NotificationHistory) -> str:
    with translation.override("en"):
        return render_timeline(row)


def test_timeline_begins_with_cause_and_user() -> None:
    order = make_order()
    order.transition_to(OrderStatus.CONFIRMED, by=make_office(first_name="Ming", last_name="Wang"))
    timeline = english_timeline(order.notifications.get())
    assert "Order: Pending → Confirmed, by Ming Wang (" in timeline
    assert timeline.index("Order:") < timeline.index("Message created.")


def test_timeline_has_each_step_with_its_time() -> None:
    row = make_message(MessageStatus.DELIVERED)
    row.trail.create(status=MessageStatus.SENT, gateway="mitake", raw_status="1", at=AT)
    row.trail.create(status=MessageStatus.FAILED, gateway="mitake", raw_status="t", reason=Reason.REFUSED, at=AT)
    row.trail.create(status=MessageStatus.DELIVERED, reply="<b>謝謝</b>", at=AT)
    timeline = english_timeline(row)
    assert "<time>11/23 10:02:07</time> Sent (mitake) [1]" in timeline
    assert "Failed (mitake): refused by the provider [t]" in timeline
    assert "Customer replied: “&lt;b&gt;謝謝&lt;/b&gt;”" in timeline


@pytest.mark.parametrize("status", MessageStatus)
def test_timeline_ends_with_next_step(status: MessageStatus) -> None:
    assert english_timeline(make_message(status, status_reason=Reason.OPT_OUT)).endswith(".</li></ul>")


def last_line_and_button(client: Client, row: NotificationHistory) -> tuple[str, bool]:
    """Returns the last line of the timeline, and whether the page has a button that sends the message."""
    page_ = client.get(page(row), headers={"accept-language": "en"}).content.decode()
    return english_timeline(row).rpartition("</time> ")[2].removesuffix("</li></ul>"), "/resend/" in page_


def test_waiting_message_shows_until_when(admin_client: Client, settings: Any) -> None:
    row = make_message(send_after=timezone.now() + timedelta(hours=1))
    expected = f"Will be sent at {format_time(row.send_after)}."
    assert last_line_and_button(admin_client, row) == (expected, False)
    row.send_after, settings.SMS_QUIET_HOURS = None, "00:00-23:59"
    row.save()
    with time_machine.travel(AT, tick=False):
        admin_client.force_login(make_office(is_superuser=True))
        assert last_line_and_button(admin_client, row) == ("Will be sent at 11/23 23:59:00.", False)


def test_message_waiting_for_stopped_gateway_says_so(admin_client: Client, settings: Any) -> None:
    GatewayState.objects.create(gateway=settings.SMS_GATEWAY, stopped_at=AT)
    row = make_message()
    assert last_line_and_button(admin_client, row) == ("Waiting until the gateway is started again.", False)
    Customer.objects.filter(pk=row.customer_id).unannounced().update(phone="02-2930-0016", email="a@example.org")
    assert last_line_and_button(admin_client, NotificationHistory.objects.get(pk=row.pk))[1]


@pytest.mark.parametrize(
    "status",
    [MessageStatus.FAILED, MessageStatus.SENT, MessageStatus.UNKNOWN, MessageStatus.PENDING, MessageStatus.SUPPRESSED],
)
def test_outdated_message_has_no_button(admin_client: Client, status: MessageStatus) -> None:
    row = make_message(status, order=make_quiet_order(OrderStatus.DELIVERED), status_reason=Reason.OPT_OUT)
    assert last_line_and_button(admin_client, row) == (
        "This message cannot be sent: the content is no longer true.",
        False,
    )


def test_message_after_opt_out_has_no_button(admin_client: Client) -> None:
    row = make_message()
    Customer.objects.filter(pk=row.customer_id).unannounced().update(sms_opt_out=True)
    row = NotificationHistory.objects.get(pk=row.pk)
    assert last_line_and_button(admin_client, row) == (
        "This message cannot be sent: the customer opted out of this message.",
        False,
    )


def test_only_interrupted_sending_has_a_button(admin_client: Client) -> None:
    assert not last_line_and_button(admin_client, make_message(MessageStatus.SENDING, claimed_at=timezone.now()))[1]
    assert last_line_and_button(
        admin_client, make_message(MessageStatus.SENDING, claimed_at=timezone.now() - timedelta(hours=1))
    )[1]


def test_timeline_names_who_rescheduled() -> None:
    order = make_quiet_order()
    MessageTemplate.objects.create(kind=MessageKind.ORDER_RESCHEDULED, is_on=True)
    order.scheduled_date += timedelta(days=1)
    order.save(change=Change(Actor(by=make_office(username="lin"))))
    row = order.notifications.get()
    assert "Day or time of the order changed by lin." in english_timeline(row)
    row = make_message(order=order, kind=row.kind, resend_of=row, requested_by=make_office(), caused_by=row.caused_by)
    assert "Day or time of the order changed by lin." in english_timeline(row)
    row.caused_by = None
    assert "by the system." in english_timeline(row)


def test_timeline_names_who_retried_unknown_message(settings: Any) -> None:
    settings.SMS_GATEWAY = "http"
    row = make_message(MessageStatus.UNKNOWN, gateway="http", requested_by=make_office(username="lin"))
    queue.prepare(row, make_office(username="wang"))
    assert "Sent again by wang" in english_timeline(row)
    assert str(row.requested_by) == "lin"


def test_resent_message_links_to_the_newer_one() -> None:
    row = make_message(MessageStatus.FAILED)
    newer = make_message(order=row.order, resend_of=row, requested_by=make_office(username="lin"))
    assert page(newer) in english_timeline(row)
    assert "Sent again by lin" in english_timeline(newer)


@pytest.mark.django_db(transaction=True)
def test_overruled_message_is_sent_and_names_the_user(admin_client: Client, admin_user: object) -> None:
    row = make_message(MessageStatus.SENDING, attempts=0)
    Customer.objects.filter(pk=row.customer_id).unannounced().update(sms_opt_out=True)
    row.move(MessageStatus.SENDING, MessageStatus.PENDING)
    row.move(MessageStatus.PENDING, MessageStatus.SUPPRESSED, status_reason=Reason.OPT_OUT)
    shown = admin_client.get(page(row), headers={"accept-language": "en"}).content.decode()
    assert "Send anyway" in shown
    assert 'name="overrule" value="yes"' in shown
    admin_client.post(reverse("admin:notifications_resend", args=[row.pk]), {"overrule": "yes"})
    row.refresh_from_db()
    assert (row.status, row.overruled, row.requested_by) == (MessageStatus.SENT, True, admin_user)
    assert len(Memory.outbox) == 1
    assert "admin chose to send the message anyway" in english_timeline(row)


@pytest.mark.parametrize(
    ("status", "reason"), [(MessageStatus.SUPPRESSED, Reason.NO_MOBILE), (MessageStatus.CANCELLED, "overtaken")]
)
def test_message_that_nobody_may_send_has_no_button(admin_client: Client, status: MessageStatus, reason: str) -> None:
    row = make_message(status, status_reason=reason)
    assert "/resend/" not in admin_client.get(page(row)).content.decode()


def test_page_shows_cost_and_reason_of_failure(admin_client: Client) -> None:
    row = make_message(
        MessageStatus.FAILED, status_reason=Reason.REFUSED, error_message="no such account", points="1.50"
    )
    shown = admin_client.get(page(row), headers={"accept-language": "en"}).content.decode()
    assert "refused by the provider: no such account" in shown
    assert "1.5 points" in shown


def test_customer_page_shows_newest_messages_and_link_to_all(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "NEWEST", 1)
    customer = make_customer(phone="0912-345-678")
    older, newer = (make_message(MessageStatus.SENT, order=make_quiet_order(customer=customer)) for _ in range(2))
    other = make_message(MessageStatus.SENT)
    shown = admin_client.get(reverse("admin:customers_customer_change", args=[customer.pk])).content.decode()
    assert page(newer) in shown
    assert page(older) not in shown
    whole = f"{LIST}?customer__id__exact={customer.pk}"
    assert whole in shown
    listed = admin_client.get(whole).content.decode()
    assert page(older) in listed
    assert page(other) not in listed


def test_form_for_a_new_customer_opens(admin_client: Client) -> None:
    assert admin_client.get(reverse("admin:customers_customer_add")).status_code == 200


def test_customer_form_saves_after_new_messages_arrived(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "NEWEST", 1)
    customer = make_customer(phone="0912-345-678")
    shown = make_message(MessageStatus.SENT, order=make_quiet_order(customer=customer))
    make_message(MessageStatus.SENT, order=make_quiet_order(customer=customer))
    inline = {"TOTAL_FORMS": 1, "INITIAL_FORMS": 1, "0-id": shown.pk, "0-customer": customer.pk}
    form = {"name": "陳", "phone": "0912-345-678", "address": "台北市中正區", "language": "en", "is_active": "on"}
    page = reverse("admin:customers_customer_change", args=[customer.pk])
    answer = admin_client.post(page, form | {f"notifications-{name}": value for name, value in inline.items()})
    assert answer.status_code == 302
    customer.refresh_from_db()
    assert customer.name == "陳"
    assert NotificationHistory.objects.count() == 2
