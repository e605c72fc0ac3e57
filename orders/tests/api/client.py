"""A client of the API with a real token."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from rest_framework.test import APIClient

from accounts.api.tokens import Refresh
from orders.tests.factories import make_customer, make_driver, make_office, make_user

V1 = "/api/v1/"


class Api:
    """Calls paths below `/api/v1/`. Asks for English, so that tests can check the texts."""

    def __init__(self, user: User | None = None) -> None:
        self.user = user
        self.client = APIClient(HTTP_ACCEPT_LANGUAGE="en", raise_request_exception=False)
        if user is not None:
            self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {Refresh.for_user(user).access_token}")

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(V1 + path, query)

    def post(self, path: str, data: Any = None) -> Any:
        return self.client.post(V1 + path, data, format="json")

    def patch(self, path: str, data: Any = None) -> Any:
        return self.client.patch(V1 + path, data, format="json")


def make_api(role: str) -> Api:
    """A client for a new user of this role: office, driver, customer, none (no role), or anonymous (not signed in)."""
    makers: dict[str, Any] = {
        "office": make_office,
        "driver": lambda: make_driver().user,
        "customer": lambda: make_customer(user=make_user()).user,
        "none": make_user,
        "anonymous": lambda: None,
    }
    return Api(makers[role]())


def codes(response: Any) -> list[tuple[str, str | None]]:
    """The (code, attr) of each error in a response."""
    body = response.json()
    assert set(body) == {"type", "errors"}, body
    assert all(set(error) == {"code", "detail", "attr"} for error in body["errors"]), body
    return [(error["code"], error["attr"]) for error in body["errors"]]
