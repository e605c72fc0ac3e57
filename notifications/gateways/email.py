"""E-mail through Django's backend (EMAIL_URL), for customers without a mobile number."""

from __future__ import annotations

import re
from contextlib import suppress
from email.utils import parseaddr
from smtplib import (
    SMTPDataError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from notifications.gateways.base import Accepted, Gateway, GatewayError, Message
from notifications.masking import mask
from notifications.states import Reason

# RFC 4954 section 6 and RFC 5321 section 4.2.3. The enhanced codes (RFC 3463) 5.7 (policy) and 5.1.7, 5.1.8 (sender)
# concern our account or address, not the recipient's mailbox.
ACCOUNT = frozenset({530, 534, 535, 538})
MAILBOX_OR_CONTENT = frozenset({501, 550, 551, 552, 553, 554, 556})
OURS = re.compile(r"5\.(7|1\.[78])\b")


class Email(Gateway):
    """Sends with Django's mail backend. `Message.phone` is an e-mail address; the text's first line is the subject.

    EMAIL_TIMEOUT limits the wait for each answer of the mail server, not the whole sending.
    """

    name = "email"

    def __init__(self) -> None:
        self.secrets = (settings.EMAIL_HOST_PASSWORD,)

    def transmit(self, message: Message) -> Accepted:
        subject, _, body = message.text.partition("\n\n")
        # The Message-ID finds the message in the mail server's log. Django refuses line ends in headers.
        name = f"<{message.id}@{parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition('@')[2] or 'localhost'}>"
        mail = EmailMessage(subject, body, to=[message.phone], headers={"Message-ID": name})
        connection: BaseEmailBackend = get_connection()
        connected = False
        try:
            connection.open()
            connected = True
            connection.send_messages([mail])
        except OSError as error:
            # After a dropped connection the server may or may not have the mail.
            raise to_gateway_error(error, Reason.NO_ANSWER if connected else Reason.UNREACHABLE) from error
        except ValueError as error:  # an address or a header that no mail can have
            raise GatewayError(describe(error), reason=Reason.REFUSED, permanent=True) from error
        finally:
            # The server has already answered for the mail, so an error in closing does not matter.
            with suppress(OSError):
                connection.close()
        return Accepted(name)

    def clean(self, text: str, phone: str) -> str:
        return super().clean(text.replace(phone, mask(phone)) if phone else text, "")


def to_gateway_error(error: OSError, unanswered: Reason) -> GatewayError:
    """Converts an error of SMTP or of the socket. `unanswered`: the reason if the server did not answer."""
    if not isinstance(error, SMTPException) or isinstance(error, SMTPServerDisconnected):
        return GatewayError(describe(error), reason=unanswered)
    code, text = reply(error)
    return GatewayError(describe(error), reason=reason(error, code, text), permanent=True, raw_status=str(code or ""))


def reason(error: SMTPException, code: int, text: str) -> Reason:
    """Returns REFUSED only if the server refuses this mailbox or content. With any other reason the mail waits."""
    if 400 <= code < 500:
        return Reason.BUSY
    if code in ACCOUNT:
        return Reason.CHANNEL_STOPPED
    of_message = isinstance(error, SMTPRecipientsRefused | SMTPDataError) and code in MAILBOX_OR_CONTENT
    return Reason.REFUSED if of_message and not OURS.match(text) else Reason.UNKNOWN_CODE


def reply(error: SMTPException) -> tuple[int, str]:
    """Returns the server's code and text; 0 and an empty text if it gave none."""
    if isinstance(error, SMTPResponseException):
        code, text = error.smtp_code, error.smtp_error
    elif isinstance(error, SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
    else:
        return 0, ""
    return code, text.decode(errors="replace") if isinstance(text, bytes) else text


def describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
