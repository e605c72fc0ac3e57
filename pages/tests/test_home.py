from __future__ import annotations

import re

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts import users
from orders.tests.admin.browser import Browser, sign_in
from orders.tests.factories import (
    PASSWORD,
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def stranger() -> Browser:
    return Browser(Client(headers={"accept-language": "en"}))


def test_home_redirects_anonymous_users_to_the_sign_in(stranger: Browser) -> None:
    answer = stranger.client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/accounts/login/?next=/")


def test_sign_in_redirects_home(stranger: Browser) -> None:
    user = make_user(first_name="陳志明")
    answer = stranger.post(reverse("login"), {"username": user.username, "password": "correct horse", "next": "/"})
    assert answer.redirect_chain == [("/", 302)]
    assert "陳志明" in answer.content.decode()


def test_wrong_password_shows_an_error_and_signs_nobody_in(stranger: Browser) -> None:
    answer = stranger.post(reverse("login"), {"username": make_user().username, "password": "wrong"})
    assert 'class="errorlist' in answer.content.decode()
    assert not answer.wsgi_request.user.is_authenticated


def test_admin_redirects_to_the_same_sign_in(stranger: Browser) -> None:
    answer = stranger.client.get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0] == "/accounts/login/?next=%2Fadmin%2F"


def test_driver_at_the_admin_sees_which_account_is_signed_in() -> None:
    user = make_driver().user
    # The page offers to sign in with another account, and does not redirect in a loop.
    html = sign_in(user).client.get("/admin/", follow=True).content.decode()
    assert f"You are signed in as {user.username} and may not open this page." in html


@pytest.mark.parametrize("page", ["", "/", "/driver/", "/orders/new/", "/accounts/login/", "https://evil.example/"])
def test_sign_in_page_redirects_signed_in_users(page: str) -> None:
    for user in (make_office(), make_driver().user, make_user()):
        client = sign_in(user).client
        answer = client.get(reverse("login"), {"next": page} if page else {})
        assert (answer.status_code, answer.headers["location"]) == (302, page if page.startswith("/") else "/")


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("%ED%A0%80", "%EF%BF%BD" * 3),
        ("driver", "driver"),
        ("%00", "/"),
        ("home", "home"),
        ("/admin/orders/order/", "/admin/orders/order/"),
    ],
)
def test_next_parameter_is_never_a_view_name(page: str, expected: str) -> None:
    answer = sign_in(make_office()).client.get(f"/accounts/login/?next={page}")
    assert (answer.status_code, answer.headers["location"]) == (302, expected)


def test_sign_out_needs_a_post() -> None:
    browser = sign_in(make_user())
    browser.get(reverse("logout"), status=405)
    assert browser.post(reverse("logout"), {}).redirect_chain == [("/accounts/login/", 302)]
    assert browser.client.get("/").status_code == 302


def test_sign_out_clears_the_browsers_cache() -> None:
    answer = sign_in(make_user()).client.post(reverse("logout"))
    assert answer.headers["Clear-Site-Data"] == '"cache"'


def test_office_home_has_no_dead_link() -> None:
    browser = sign_in(make_office())
    links = set(re.findall(r'<a href="(/[^"]*)"', browser.get("/")))
    assert {"/admin/orders/order/", "/admin/orders/order/import/", "/api/v1/docs/"} <= links
    assert "/api/v1/websocket/ws/test" in links
    assert {path: browser.client.get(path).status_code for path in links} == dict.fromkeys(links, 200)


def test_customer_sees_only_their_own_orders() -> None:
    customer = make_customer(user=make_user())
    mine, other = make_order(customer=customer), make_order()
    html = sign_in(make_customer(user=make_user()).user).get("/")  # type: ignore[arg-type]
    assert str(mine) not in html
    assert "You have no open orders." in html
    assert customer.user is not None
    html = sign_in(customer.user).get("/")
    assert str(mine) in html
    assert str(other) not in html


def test_account_without_a_role_sees_an_explanation() -> None:
    html = sign_in(make_user()).get("/")
    assert "Your account has no role at the moment" in html
    assert reverse("password_change") in html


class RepeatingClient:
    """A client that sends every form with the CSRF token of the page at `path`, which it loads first."""

    def __init__(self, path: str) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.token = self.client.get(path, follow=True).context["csrf_token"]

    def send(self, path: str, **form_data: str) -> tuple[int, str]:
        answer = self.client.post(path, {"csrfmiddlewaretoken": str(self.token), **form_data})
        return answer.status_code, answer.headers.get("Location", "")


@pytest.mark.parametrize("way", ["/accounts/login/", "/admin/login/"])
def test_sign_in_sent_several_times_gets_the_same_redirect(way: str) -> None:
    user, login = make_user(), reverse("login")
    form_data = {"username": f" {user.username}", "password": PASSWORD}
    for next_page, expected in (("", "/"), ("/driver/", "/driver/"), ("https://evil.example/", "/")):
        repeating = RepeatingClient(f"{way}?next={next_page}")
        assert [repeating.send(login, next=next_page, **form_data) for _ in range(3)] == [(302, expected)] * 3


def test_form_without_a_valid_token_is_refused() -> None:
    user, other, login = make_user(), make_user(), reverse("login")
    repeating = RepeatingClient(login)
    wrong = {"csrfmiddlewaretoken": "x" * 64, "username": user.username, "password": PASSWORD}
    assert repeating.client.post(login, wrong).status_code == 403
    assert repeating.send(login, username=user.username, password=PASSWORD)[0] == 302
    # The old token does not sign in another user, sign out, or change a password.
    assert repeating.send(login, username=other.username, password=PASSWORD)[0] == 403
    assert repeating.send(reverse("logout"))[0] == 403
    assert repeating.send(reverse("password_change"), old_password="x")[0] == 403


@pytest.mark.parametrize("way", ["logout", "admin:logout"])
def test_sign_out_sent_several_times_signs_the_user_out(way: str) -> None:
    repeating = RepeatingClient("/accounts/login/")
    user = make_office()
    repeating.send(reverse("login"), username=user.username, password=PASSWORD)
    token = repeating.client.get(reverse("password_change")).context["csrf_token"]
    for stale in (False, False, True):
        repeating.token = "x" * 64 if stale else token
        answer = repeating.send(reverse(way))
        assert answer[0] in (200, 302), answer
    assert repeating.client.get("/").headers["Location"].startswith(reverse("login"))


SIGNED_IN_PAGES = ("home", "password_change", "password_change_done")


@pytest.mark.parametrize("language", ["zh-hant", "en", ""])
@pytest.mark.parametrize(
    "name", ["login", "password_reset", "password_reset_done", "password_reset_complete", *SIGNED_IN_PAGES]
)
def test_pages_are_chinese_unless_the_browser_asks_for_english(name: str, language: str) -> None:
    client = Client()
    if name in SIGNED_IN_PAGES:
        client.force_login(make_user())
    html = client.get(reverse(name), headers={"accept-language": language} if language else {}).content.decode()
    assert f'<html lang="{language or "zh-hant"}">' in html


def test_password_reset_link_works_once(stranger: Browser) -> None:
    user = make_user(email="wang@example.com")
    answer = stranger.post(reverse("password_reset"), {"email": "wang@example.com"})
    assert answer.redirect_chain == [(reverse("password_reset_done"), 302)]
    (sent,) = mail.outbox
    (link,) = re.findall(r"http://127.0.0.1:8000(/\S+)", str(sent.body))
    page = stranger.client.get(link, follow=True)
    form_data = {"new_password1": "gas for the home", "new_password2": "gas for the home"}
    done = stranger.post(page.redirect_chain[-1][0], form_data)
    assert done.redirect_chain == [(reverse("password_reset_complete"), 302)]
    user.refresh_from_db()
    assert user.check_password("gas for the home")
    assert "already used or has expired" in stranger.client.get(link, follow=True).content.decode()


@pytest.mark.parametrize("host", ["testserver:6666", "testserver", "localhost:8000"])
def test_reset_mail_links_to_the_configured_site(host: str, settings: Settings) -> None:
    settings.SITE_URL = "https://gas.example.tw"
    make_user(email="wang@example.com")
    Client(headers={"host": host}).post(reverse("password_reset"), {"email": "wang@example.com"})
    users.send_link(make_user(email="li@example.com"))
    for sent in mail.outbox:
        assert re.findall(r"\w+://[^/]+", str(sent.body)) == ["https://gas.example.tw"]
    assert len(mail.outbox) == 2


def test_reset_for_an_unknown_e_mail_gets_the_same_response_and_no_mail(stranger: Browser) -> None:
    answer = stranger.post(reverse("password_reset"), {"email": "nobody@example.com"})
    assert answer.redirect_chain == [(reverse("password_reset_done"), 302)]
    assert mail.outbox == []


def test_user_can_change_their_password() -> None:
    user = make_user()
    form_data = {
        "old_password": "correct horse",
        "new_password1": "gas for the home",
        "new_password2": "gas for the home",
    }
    assert sign_in(user).post(reverse("password_change"), form_data).redirect_chain == [
        (reverse("password_change_done"), 302)
    ]
    user.refresh_from_db()
    assert user.check_password("gas for the home")


@pytest.mark.parametrize(
    "path", ["/", "/accounts/login/", "/accounts/password/change/", "/admin/orders/order/", "/admin/orders/order/add/"]
)
def test_pages_have_no_inline_script_or_style(path: str) -> None:
    client = Client() if path == reverse("login") else sign_in(make_office()).client
    answer = client.get(path)
    assert answer.status_code == 200
    html = answer.content.decode()
    assert not re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\b(?:src|type=\"application/json\"))", html)
