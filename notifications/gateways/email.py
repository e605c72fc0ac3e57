"""E-mail, through Django's own backend (EMAIL_URL): for customers without a mobile number."""

from __future__ import annotations

from contextlib import suppress
from email.utils import parseaddr
from smtplib import SMTPException, SMTPResponseException, SMTPServerDisconnected
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from notifications.gateways.base import Accepted, Gateway, GatewayError, Message
from notifications.masking import mask
from notifications.states import Reason

if TYPE_CHECKING:
    from django.core.mail.backends.base import BaseEmailBackend


class Email(Gateway):
    """`Message.phone` is an address, the text's first line the subject. No wait is longer than EMAIL_TIMEOUT."""

    name = "email"

    def __init__(self) -> None:
        self.secrets = (settings.EMAIL_HOST_PASSWORD,)

    def transmit(self, message: Message) -> Accepted:
        subject, _, body = message.text.partition("\n\n")
        # A line's end in a header is refused by Django; the id lets the mail server's own log be asked.
        name = f"<{message.id}@{parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition('@')[2] or 'localhost'}>"
        mail = EmailMessage(subject, body, to=[message.phone], headers={"Message-ID": name})
        connection = opened()
        try:
            hand_over(mail, connection)
        finally:
            # The server has said what it does with the mail; how it takes leave changes nothing.
            with suppress(OSError, SMTPException):
                connection.close()
        return Accepted(name)

    def clean(self, text: str, phone: str) -> str:
        return super().clean(text.replace(phone, mask(phone)) if phone else text, "")


def opened() -> BaseEmailBackend:
    """A connection to the mail server. Raises GatewayError: nothing was sent."""
    connection: BaseEmailBackend = get_connection()
    try:
        connection.open()
    except SMTPException as error:
        raise GatewayError(said(error), reason=Reason.REFUSED, raw_status=code(error)) from error
    except OSError as error:
        raise GatewayError(said(error), reason=Reason.UNREACHABLE) from error
    return connection


def hand_over(mail: EmailMessage, connection: BaseEmailBackend) -> None:
    """Raises GatewayError; a line cut in the middle leaves open whether the server has the mail."""
    try:
        connection.send_messages([mail])
    except (OSError, SMTPServerDisconnected) as error:
        if isinstance(error, SMTPException) and not isinstance(error, SMTPServerDisconnected):
            raise refused(error) from error
        raise GatewayError(said(error), reason=Reason.NO_ANSWER) from error
    except ValueError as error:  # an address or a header that no mail can have
        raise GatewayError(said(error), reason=Reason.REFUSED, permanent=True) from error


def refused(error: SMTPException) -> GatewayError:
    return GatewayError(said(error), reason=Reason.REFUSED, permanent=True, raw_status=code(error))


def code(error: Exception) -> str:
    return str(error.smtp_code) if isinstance(error, SMTPResponseException) else ""


def said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
