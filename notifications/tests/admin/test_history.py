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
from notifications.states import Kind, Reason, Status
from notifications.tests.factories import make_message, make_quiet_order
from notifications.timeline import moment, story
from orders import numbers
from orders.models import Change
from orders.states import Status as OrderStatus
from orders.tests.factories import make_customer, make_office, make_order, make_staff
from web import charts
from web.actors import Actor
from web.charts import Series
from web.csv_export import MARK

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


EXPORT = reverse("admin:notifications_export")


def failed_message(status: str = Status.FAILED, **fields: Any) -> NotificationHistory:
    order = make_quiet_order(customer=make_customer(phone="0912-345-678", name=fields.pop("name", "陳")))
    return make_message(status, order=order, **fields)


def sheet(client: Client, **query: str) -> list[dict[str, str]]:
    answer = client.get(EXPORT, query, headers={"accept-language": "en"})
    text = answer.getvalue().decode()
    assert text[0] == MARK
    return list(csv.DictReader(io.StringIO(text[1:])))


def test_the_sheet_holds_what_the_filters_show_with_masked_numbers(admin_client: Client) -> None:
    row = failed_message(content="瓦斯, “已確認”\n第二行", status_reason="refused")
    failed_message(Status.DELIVERED)
    [line] = sheet(admin_client, status__exact="failed", p="1")
    assert (line["recipient"], line["status"], line["reason"]) == ("0912-***-678", "Failed", "refused by the provider")
    assert (line["order"], line["text"]) == (str(row.order), row.content)


def test_no_cell_is_a_formula(admin_client: Client) -> None:
    failed_message(name="=HYPERLINK(1)", content="@x", raw_status="-1", error_message=" +1")
    [line] = sheet(admin_client)
    found = (line["customer"], line["text"], line["provider's status"], line["error"])
    assert found == ("'=HYPERLINK(1)", "'@x", "'-1", "' +1")


def test_what_is_cut_off_is_said(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        failed_message()
    monkeypatch.setattr(admin, "MOST_ROWS", 2)
    lines = admin_client.get(EXPORT, headers={"accept-language": "en"}).getvalue().decode().splitlines()
    assert len(lines) == 4
    assert "first 2 messages" in lines[-1]


def test_what_just_fits_is_not_cut_off(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    failed_message()
    monkeypatch.setattr(admin, "MOST_ROWS", 1)
    assert len(admin_client.get(EXPORT).getvalue().decode().splitlines()) == 2


def test_clerks_export_no_messages() -> None:
    client = Client()
    client.force_login(make_staff("clerk"))
    assert EXPORT not in client.get(LIST).content.decode()
    assert client.get(EXPORT).status_code == 403


@pytest.mark.parametrize("days", [{"created_at__year": "9999"}, {"created_at__year": "1", "created_at__month": "1"}])
def test_a_filter_that_is_none_is_no_500(admin_client: Client, days: dict[str, str]) -> None:
    assert admin_client.get(EXPORT, days).status_code < 500


@pytest.mark.django_db(transaction=True)
async def test_it_is_streamed_by_the_server_of_production_too(admin_user: Any) -> None:
    client = AsyncClient()
    await client.aforce_login(admin_user)
    answer: Any = await client.get(EXPORT)
    assert answer.is_async
    assert b"".join([part async for part in answer]).startswith(MARK.encode())


ROWS = NotificationHistory.objects


def test_nothing_has_no_totals() -> None:
    assert totals(ROWS.all()) is None


def test_the_sums_of_the_newest_days() -> None:
    for status in (Status.DELIVERED, Status.SENT, Status.FAILED, Status.EXPIRED, Status.UNKNOWN, Status.SUPPRESSED):
        make_message(status, gateway="mitake", points=2)
    make_message(Status.SENT, created_at=timezone.now() - timedelta(days=DAYS))
    found = totals(ROWS.all())
    assert found
    assert found["sum"]["counts"] == {"delivered": 1, "sent": 1, "unknown": 1, "failed": 2}
    assert (found["sum"]["points"], found["taken"], found["delivered"]) == (12, "60 %", "50 %")
    assert (found["taken_low"], found["delivered_low"], found["goal"]) == (True, True, "95 %")


def test_each_day_has_its_place_in_the_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[Sequence[str], Sequence[Series]]] = []

    def bars(labels: Sequence[str], series: Sequence[Series]) -> bytes:
        drawn.append((labels, series))
        return b"<svg/>"

    monkeypatch.setattr(charts, "bars", bars)
    make_message(Status.SENT, created_at=timezone.now() - timedelta(days=2))
    for status in (Status.DELIVERED, Status.FAILED, Status.EXPIRED):
        make_message(status)
    found = totals(ROWS.all())
    assert found
    assert found["image"].startswith("data:image/svg+xml;base64,")
    ((labels, series),) = drawn
    assert (len(labels), [one.values[-3:] for one in series]) == (
        DAYS,
        [(0, 0, 1), (1, 0, 0), (0, 0, 0), (0, 0, 2)],
    )


def test_the_list_shows_the_totals_of_what_it_shows(admin_client: Client) -> None:
    make_message(Status.DELIVERED)
    make_message(Status.FAILED)
    shown = admin_client.get(LIST, {"status__exact": "failed"}).context_data or {}
    assert shown["totals"]["sum"]["counts"] == {"delivered": 0, "sent": 0, "unknown": 0, "failed": 1}


def test_the_totals_take_the_same_queries_for_any_number_of_days(admin_client: Client) -> None:
    counts = []
    for days in range(3):
        make_message(Status.SENT, created_at=timezone.now() - timedelta(days=days))
        with CaptureQueriesContext(connection) as queries:
            totals(ROWS.all())
        counts.append(len(queries))
    assert counts == [2, 2, 2]


AT = datetime.fromisoformat("2026-11-23T10:02:07+08:00")


def told(row: NotificationHistory) -> str:
    with translation.override("en"):
        return story(row)


def test_the_story_begins_with_what_moved_the_order_and_who() -> None:
    order = make_order()
    order.transition_to(OrderStatus.CONFIRMED, by=make_office(first_name="Ming", last_name="Wang"))
    said = told(order.notifications.get())
    assert "Order: Pending → Confirmed, by Ming Wang (" in said
    assert said.index("Order:") < said.index("Message created.")


def test_the_story_has_each_step_with_its_time() -> None:
    row = make_message(Status.DELIVERED)
    row.trail.create(status=Status.SENT, gateway="mitake", raw_status="1", at=AT)
    row.trail.create(status=Status.FAILED, gateway="mitake", raw_status="t", reason=Reason.REFUSED, at=AT)
    row.trail.create(status=Status.DELIVERED, reply="<b>謝謝</b>", at=AT)
    said = told(row)
    assert "<time>11/23 10:02:07</time> Sent (mitake) [1]" in said
    assert "Failed (mitake): refused by the provider [t]" in said
    assert "Customer replied: “&lt;b&gt;謝謝&lt;/b&gt;”" in said


@pytest.mark.parametrize("status", Status)
def test_every_status_ends_with_what_may_be_done(status: Status) -> None:
    assert told(make_message(status, status_reason=Reason.OPT_OUT)).endswith(".</li></ul>")


def shown(client: Client, row: NotificationHistory) -> tuple[str, bool]:
    """The last line of the story, and whether there is a button."""
    page_ = client.get(page(row), headers={"accept-language": "en"}).content.decode()
    return told(row).rpartition("</time> ")[2].removesuffix("</li></ul>"), "/resend/" in page_


def test_a_message_that_waits_says_until_when(admin_client: Client, settings: Any) -> None:
    row = make_message(send_after=timezone.now() + timedelta(hours=1))
    said = f"Will be sent at {moment(row.send_after)}."
    assert shown(admin_client, row) == (said, False)
    row.send_after, settings.SMS_QUIET_HOURS = None, "00:00-23:59"
    row.save()
    with time_machine.travel(AT, tick=False):
        admin_client.force_login(make_office(is_superuser=True))
        assert shown(admin_client, row) == ("Will be sent at 11/23 23:59:00.", False)


def test_a_message_that_waits_for_its_channel_says_so(admin_client: Client, settings: Any) -> None:
    GatewayState.objects.create(gateway=settings.SMS_GATEWAY, stopped_at=AT)
    row = make_message()
    assert shown(admin_client, row) == ("Waiting until the channel is started again.", False)
    Customer.objects.filter(pk=row.customer_id).unannounced().update(phone="02-2930-0016", email="a@example.org")
    assert shown(admin_client, NotificationHistory.objects.get(pk=row.pk))[1]


@pytest.mark.parametrize("status", [Status.FAILED, Status.SENT, Status.UNKNOWN, Status.PENDING, Status.SUPPRESSED])
def test_what_is_no_longer_true_has_no_button(admin_client: Client, status: Status) -> None:
    row = make_message(status, order=make_quiet_order(OrderStatus.DELIVERED), status_reason=Reason.OPT_OUT)
    assert shown(admin_client, row) == ("It cannot be sent: no longer true at the time to send.", False)


def test_what_the_customer_no_longer_wants_waits_for_nobody(admin_client: Client) -> None:
    row = make_message()
    Customer.objects.filter(pk=row.customer_id).unannounced().update(sms_opt_out=True)
    row = NotificationHistory.objects.get(pk=row.pk)
    assert shown(admin_client, row) == ("It cannot be sent: the customer opted out of this SMS.", False)


def test_only_a_sending_that_died_has_a_button(admin_client: Client) -> None:
    assert not shown(admin_client, make_message(Status.SENDING, claimed_at=timezone.now()))[1]
    assert shown(admin_client, make_message(Status.SENDING, claimed_at=timezone.now() - timedelta(hours=1)))[1]


def test_a_reschedule_is_told_with_who_did_it() -> None:
    order = make_quiet_order()
    MessageTemplate.objects.create(kind=Kind.ORDER_RESCHEDULED, is_on=True)
    order.scheduled_date += timedelta(days=1)
    order.save(change=Change(Actor(by=make_office(username="lin"))))
    row = order.notifications.get()
    assert "Day or time of the order changed by lin." in told(row)
    row = make_message(order=order, kind=row.kind, resend_of=row, requested_by=make_office(), caused_by=row.caused_by)
    assert "Day or time of the order changed by lin." in told(row)
    row.caused_by = None
    assert "by the system." in told(row)


def test_who_repeats_an_unknown_one_is_named(settings: Any) -> None:
    settings.SMS_GATEWAY = "http"
    row = make_message(Status.UNKNOWN, gateway="http", requested_by=make_office(username="lin"))
    queue.prepare(row, make_office(username="wang"))
    assert "Sent again by wang" in told(row)
    assert str(row.requested_by) == "lin"


def test_the_older_of_two_points_to_the_newer() -> None:
    row = make_message(Status.FAILED)
    newer = make_message(order=row.order, resend_of=row, requested_by=make_office(username="lin"))
    assert page(newer) in told(row)
    assert "Sent again by lin" in told(newer)


@pytest.mark.django_db(transaction=True)
def test_what_our_rules_kept_back_is_sent_nevertheless_with_who_asked(admin_client: Client, admin_user: object) -> None:
    row = make_message(Status.SENDING, attempts=0)
    Customer.objects.filter(pk=row.customer_id).unannounced().update(sms_opt_out=True)
    row.move(Status.SENDING, Status.PENDING)
    row.move(Status.PENDING, Status.SUPPRESSED, status_reason=Reason.OPT_OUT)
    shown = admin_client.get(page(row), headers={"accept-language": "en"}).content.decode()
    assert "Send anyway" in shown
    assert 'name="overrule" value="yes"' in shown
    admin_client.post(reverse("admin:notifications_resend", args=[row.pk]), {"overrule": "yes"})
    row.refresh_from_db()
    assert (row.status, row.overruled, row.requested_by) == (Status.SENT, True, admin_user)
    assert len(Memory.outbox) == 1
    assert "admin chose to send it anyway" in told(row)


@pytest.mark.parametrize(("status", "reason"), [(Status.SUPPRESSED, Reason.NO_MOBILE), (Status.CANCELLED, "overtaken")])
def test_what_nobody_may_send_has_no_button(admin_client: Client, status: Status, reason: str) -> None:
    row = make_message(status, status_reason=reason)
    assert "/resend/" not in admin_client.get(page(row)).content.decode()


def test_the_page_says_what_it_cost_and_why_it_failed(admin_client: Client) -> None:
    row = make_message(Status.FAILED, status_reason=Reason.REFUSED, error_message="no such account", points="1.50")
    shown = admin_client.get(page(row), headers={"accept-language": "en"}).content.decode()
    assert "refused by the provider: no such account" in shown
    assert "1.5 points" in shown


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
