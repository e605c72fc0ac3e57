"""E-mail to a mail server on a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail as django_mail

from luckygas.testing.waiting import wait_for
from notifications import sender
from notifications.gateways.base import GatewayError, Message
from notifications.gateways.email import Email
from notifications.gateways.local import Memory
from notifications.models import GatewayState, MessageTemplate, NotificationHistory
from notifications.states import MessageKind, MessageStatus, MessageType, Reason
from notifications.tests.factories import make_message, make_quiet_order
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_order

ADDRESS = "wang@example.org"
TEXT = "主旨 subject\n\n第一行\nsecond line\n"
# A mail server's answers to a client's commands.
ACCEPTING = {
    "EHLO": "250 hi",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go on",
    ".": "250 kept",
    "QUIT": "221 bye",
}

HANGS = "hangs"


class MailServer:
    """Speaks just enough SMTP (RFC 5321). Instead of an answer, None closes the connection and HANGS sends nothing."""

    def __init__(self) -> None:
        self.answers: dict[str, str | None] = dict(ACCEPTING)
        self.greeting: str | None = "220 hi"
        self.mails: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as file:
                self.talk(file)

    def talk(self, file: Any) -> None:
        if not self.send_line(file, self.greeting):
            return
        while command := file.readline().decode().strip()[:4].upper():
            answer = self.answers.get(command, "250 ok")
            if not self.send_line(file, answer):
                return
            if command == "DATA" and answer and answer.startswith("3"):
                lines = list(iter(file.readline, b".\r\n"))
                self.mails.append(b"".join(lines).decode())
                if not self.send_line(file, self.answers["."]):
                    return

    def send_line(self, file: Any, answer: str | None) -> bool:
        if answer == HANGS:
            return bool(file.read())  # until the other side gives up
        if answer is not None:
            file.write(answer.encode() + b"\r\n")
            file.flush()
        return answer is not None


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    running = MailServer()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", running.port, 1
    settings.EMAIL_USE_TLS, settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = False, "", ""
    yield running
    running.listener.close()


def sending_error() -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        Email().send(Message(uuid4(), ADDRESS, TEXT))
    return caught.value


def test_accepted_mail_has_the_messages_id_in_a_header(server: MailServer) -> None:
    message = Message(uuid4(), ADDRESS, TEXT)
    accepted = Email().send(message)
    (sent,) = server.mails
    assert f"To: {ADDRESS}\r\n" in sent
    assert f"Message-ID: {accepted.provider_message_id}\r\n" in sent
    assert str(message.id) in accepted.provider_message_id


def test_error_after_acceptance_keeps_mail_accepted(server: MailServer) -> None:
    server.answers["QUIT"] = None
    assert Email().send(Message(uuid4(), ADDRESS, TEXT)).provider_message_id


@pytest.mark.parametrize(
    ("command", "answer", "reason"),
    [
        ("RCPT", "550 no such user", Reason.REFUSED),
        ("RCPT", "553 5.1.3 bad address", Reason.REFUSED),
        ("DATA", "550 no such user", Reason.REFUSED),
        (".", "552 5.3.4 too large", Reason.REFUSED),
        ("RCPT", "450 4.2.0 greylisted", Reason.BUSY),
        (".", "451 later", Reason.BUSY),
        ("MAIL", "452 4.3.1 no space", Reason.BUSY),
        ("MAIL", "550 the sender is not known", Reason.UNKNOWN_CODE),
        ("RCPT", "554 5.7.1 relay access denied", Reason.UNKNOWN_CODE),
        ("RCPT", "550 5.1.8 bad sender", Reason.UNKNOWN_CODE),
        (".", "571 blocked", Reason.UNKNOWN_CODE),
        ("MAIL", "530 5.7.0 authentication required", Reason.CHANNEL_STOPPED),
    ],
)
def test_only_refused_mailbox_or_content_refuses_the_mail(
    server: MailServer, command: str, answer: str, reason: Reason
) -> None:
    server.answers[command] = answer
    error = sending_error()
    assert (error.reason, error.raw_status, server.mails) == (
        reason,
        answer[:3],
        [] if command != "." else server.mails,
    )
    assert answer[4:] in str(error)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [("535 5.7.8 wrong password", Reason.CHANNEL_STOPPED), ("454 4.7.0 later", Reason.BUSY)],
)
def test_code_of_refused_login_decides_the_reason(
    server: MailServer, settings: Any, answer: str, reason: Reason
) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "gas", "top-secret"
    server.answers |= {"EHLO": "250-hi\r\n250 AUTH PLAIN", "AUTH": answer}
    assert sending_error().reason == reason


def test_refusal_in_greeting_is_an_unknown_code(server: MailServer) -> None:
    server.greeting = "554 5.3.2 not at the moment"
    assert sending_error().reason == Reason.UNKNOWN_CODE


def test_connection_lost_after_data_is_no_answer(server: MailServer) -> None:
    server.answers["."] = None
    assert sending_error().reason == Reason.NO_ANSWER
    assert len(server.mails) == 1


def test_connection_lost_before_data_sends_nothing(server: MailServer) -> None:
    server.greeting = None
    assert sending_error().reason in {Reason.REFUSED, Reason.UNREACHABLE}
    assert server.mails == []


def test_closed_port_is_unreachable(server: MailServer, settings: Any) -> None:
    server.listener.close()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        settings.EMAIL_PORT = closed.getsockname()[1]
    assert sending_error().reason == Reason.UNREACHABLE


def test_hanging_mail_server_times_out(server: MailServer, settings: Any) -> None:
    settings.EMAIL_TIMEOUT = 0.3
    server.answers["."] = HANGS
    assert sending_error().reason == Reason.NO_ANSWER


@pytest.mark.parametrize(
    ("address", "text"), [(f"{ADDRESS}\nBcc: all@example.org", TEXT), (ADDRESS, "a\nBcc: all@example.org\n\nb")]
)
def test_header_injection_is_refused(server: MailServer, address: str, text: str) -> None:
    with pytest.raises(GatewayError) as caught:
        Email().send(Message(uuid4(), address, text))
    assert caught.value.reason == Reason.REFUSED
    assert server.mails == []


def test_stored_error_is_masked(settings: Any) -> None:
    settings.EMAIL_HOST_PASSWORD = "top-secret"  # noqa: S105
    assert Email().clean(f"<{ADDRESS}> top-secret\r\n", ADDRESS) == "<w***@example.org> ***"


@pytest.mark.django_db(transaction=True)
def test_customer_without_mobile_gets_email(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    order = make_order(customer=make_customer(phone="02-2930-0016", email=ADDRESS))
    order.transition_to(OrderStatus.CONFIRMED)
    row = NotificationHistory.objects.get()
    (sent,) = django_mail.outbox
    assert (row.type, row.recipient, row.status, row.gateway) == (
        MessageType.EMAIL,
        ADDRESS,
        MessageStatus.SENT,
        "email",
    )
    assert (row.segments, Memory.outbox, sent.to) == (0, [], [ADDRESS])
    assert row.content == f"{sent.subject}\n\n{sent.body}"
    assert ADDRESS not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_mail_waits_while_account_is_refused(server: MailServer) -> None:
    server.answers["MAIL"] = "530 5.7.0 authentication required"
    order = make_quiet_order(customer=make_customer(phone="", email=ADDRESS))
    first, second = (
        make_message(order=order, kind=kind) for kind in (MessageKind.ORDER_CONFIRMED, MessageKind.ORDER_RESCHEDULED)
    )
    MessageTemplate.objects.create(kind=MessageKind.ORDER_RESCHEDULED, is_on=True)
    for row in (first, second):
        sender.deliver_one(row.pk)
        row.refresh_from_db()
    assert [(row.status, row.type, row.attempts) for row in (first, second)] == [
        (MessageStatus.PENDING, MessageType.EMAIL, 0), (MessageStatus.PENDING, MessageType.SMS, 0),
    ]  # fmt: skip
    server.answers["MAIL"] = ACCEPTING["MAIL"]
    assert GatewayState.objects.get(gateway="email").start()
    wait_for(lambda: len(server.mails) == 2)


@pytest.mark.django_db(transaction=True)
def test_failed_email_can_be_resent() -> None:
    from notifications import queue

    order = make_quiet_order(customer=make_customer(phone="", email=ADDRESS))
    row = make_message(
        MessageStatus.FAILED, order=order, type=MessageType.EMAIL, kind=MessageKind.ORDER_CONFIRMED, gateway="email"
    )
    again = queue.resend(row)
    assert (again.resend_of, again.type, again.status, len(django_mail.outbox)) == (
        row,
        MessageType.EMAIL,
        MessageStatus.SENT,
        1,
    )
