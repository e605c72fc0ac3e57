"""A browser without JavaScript: reads forms from pages, fills them in and posts them."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse


class Forms(HTMLParser):
    """`forms` holds the fields that each form of a page would post, by the form's id (or its action if it has no id).

    Submit buttons and lists of several choices are left out.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self.form: dict[str, str] = {}
        self.select = self.textarea = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        name, value = attributes.get("name") or "", attributes.get("value")
        if tag == "form":
            self.form = self.forms.setdefault(attributes.get("id") or attributes.get("action") or "", {})
        elif tag == "select" and "multiple" not in attributes:
            self.select, self.form[name] = name, ""
        elif tag == "option" and self.select and "selected" in attributes:
            self.form[self.select] = value or ""
        elif tag == "textarea":
            self.textarea, self.form[name] = name, ""
        elif tag == "input":
            self.handle_input(
                name, "on" if value is None and attributes.get("type") == "checkbox" else value or "", attributes
            )

    def handle_input(self, name: str, value: str, attributes: dict[str, str | None]) -> None:
        kind = attributes.get("type")
        chosen = kind not in ("checkbox", "radio") or "checked" in attributes
        if name and chosen and kind != "submit":
            self.form[name] = value

    def handle_data(self, data: str) -> None:
        if self.textarea:
            self.form[self.textarea] += data.removeprefix("\r\n").removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.textarea = ""
        elif tag == "select":
            self.select = ""


class Browser:
    def __init__(self, client: Client) -> None:
        self.client = client

    def get(self, path: str, status: int = 200, **query: Any) -> str:
        answer = self.client.get(path, query)
        assert answer.status_code == status, (path, answer.status_code)
        return answer.content.decode()

    def form(self, path: str, name: str) -> dict[str, str]:
        return Forms(self.get(path)).forms[name]

    def post(self, path: str, data: dict[str, Any]) -> Any:
        return self.client.post(path, data, follow=True)


def sign_in(user: User) -> Browser:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return Browser(client)


def shown_messages(answer: Any) -> list[tuple[str, str]]:
    """The (level, text) of each message on a page."""
    return [(message.level_tag, str(message)) for message in answer.context["messages"]]


def form_errors(answer: Any) -> list[str]:
    """The errors of a form that the page shows again. Asserts that the POST was not answered by a redirect."""
    assert answer.status_code == 200
    assert not answer.redirect_chain
    return [text for error in answer.context["errors"] for text in (error if isinstance(error, list) else [error])]


# The app of each model that does not belong to `orders`.
APPS = {"customer": "customers", "product": "catalogue", "driver": "dispatch", "route": "dispatch"}


def admin_url(model: str, name: str, *args: object) -> str:
    """The address of an admin page of a model. `name` is `changelist`, `add`, `change`, `delete` or `history`."""
    return reverse(f"admin:{APPS.get(model, 'orders')}_{model}_{name}", args=args)


def change_url(model: str, pk: int) -> str:
    return admin_url(model, "change", pk)
