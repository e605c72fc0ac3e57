from __future__ import annotations

import logging
from smtplib import SMTPServerDisconnected
from unittest import mock

import pytest
from django.core import mail
from django.urls import reverse

from orders.tests.admin.browser import Browser, told
from orders.tests.factories import make_driver, make_user

pytestmark = pytest.mark.django_db


def press(office: Browser) -> list[tuple[str, str]]:
    driver = make_driver(user=make_user(username="chen", email="chen@example.com"))
    return told(office.post(reverse("admin:dispatch_driver_password", args=[driver.pk]), {}))


def test_link_that_was_sent_is_told(office: Browser) -> None:
    said = "The account is “chen”. The link to set its password was sent to chen@example.com."
    assert press(office) == [("success", said)]


@pytest.mark.parametrize("error", [ConnectionRefusedError, TimeoutError, SMTPServerDisconnected])
def test_link_that_could_not_be_sent_is_told_and_logged(
    office: Browser, error: type[OSError], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), mock.patch("accounts.users.send_mail", side_effect=error):
        assert press(office) == [("error", "The e-mail to chen@example.com could not be sent. Please try again later.")]
    assert "No link to set the password" in caplog.text
    assert "chen@example.com" not in caplog.text


def test_link_is_in_the_language_of_who_asks(office: Browser) -> None:
    press(office)
    assert "You have the account “chen”" in str(mail.outbox[0].body)
