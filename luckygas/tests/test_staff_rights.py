"""What staff may do by REST and by socket follows from the rights that they have in the admin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from accounts.api.tokens import Refresh
from luckygas.tests.depot import SECRET, Depot, make_depot
from luckygas.tests.good_requests import ANYBODY, DRIVERS_ALONE, V1, good_request
from notifications.models import NotificationHistory
from orders.models import Order
from orders.tests.factories import make_office, make_order, make_staff
from realtime.channels import Identity
from realtime.order_commands import _carry_out, _update
from web.refusals import Refusal

pytestmark = pytest.mark.django_db
# A pass for a socket, on which the commands ask for the rights themselves.
NEED_NO_RIGHT = ANYBODY | DRIVERS_ALONE | {"POST websocket/ticket/"}


@pytest.fixture
def depot(settings: Settings) -> Depot:
    settings.SMS_CALLBACK_SECRET = SECRET
    return make_depot()


def staff(*codenames: str) -> User:
    user = make_staff()
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return user


def viewer() -> User:
    """Staff who may see all there is, and no more."""
    user = make_staff()
    user.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    return user


def calls() -> Iterator[str]:
    document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    labels = (f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods)
    yield from (label for label in labels if label.replace(V1, "") not in NEED_NO_RIGHT)


def ask(depot: Depot, user: User, label: str) -> Any:
    said = good_request(depot, "office", label)
    method, path = label.split(" ")
    client = APIClient(HTTP_ACCEPT_LANGUAGE="en", HTTP_AUTHORIZATION=f"Bearer {Refresh.for_user(user).access_token}")
    kind = "multipart" if said.get("media_type") == "multipart/form-data" else "json"
    body = said.get("query") if method == "GET" else said.get("body")
    send = getattr(client, method.lower())
    return send(path.format(**said.get("path_parameters", {})), body, **({} if method == "GET" else {"format": kind}))


def everything() -> list[Any]:
    return [list(Order.objects.order_by("pk").values()), NotificationHistory.objects.count()]


def test_staff_without_any_right_do_nothing_by_rest(depot: Depot) -> None:
    before = everything()
    user, asked = make_staff(), list(calls())
    assert {label: ask(depot, user, label).status_code for label in asked} == dict.fromkeys(asked, 403)
    assert everything() == before


def test_staff_who_may_only_see_change_nothing_by_rest(depot: Depot) -> None:
    before = everything()
    user, asked = viewer(), list(calls())
    expected = {label: 200 if label.startswith("GET") else 403 for label in asked}
    assert {label: ask(depot, user, label).status_code for label in asked} == expected
    assert everything() == before


@pytest.mark.parametrize(
    ("label", "codenames"),
    [
        ("POST /api/v1/orders/", ["add_order"]),
        ("PATCH /api/v1/orders/{id}/", ["change_order"]),
        ("PATCH /api/v1/orders/{id}/status/", ["change_order"]),
        ("POST /api/v1/orders/bulk-update/", ["change_order"]),
        ("POST /api/v1/routes/{id}/assign-driver/", ["change_order", "change_route"]),
        ("PATCH /api/v1/products/{id}/", ["change_product"]),
        ("POST /api/v1/customers/", ["add_customer"]),
        ("POST /api/v1/events/", ["add_outbox"]),
        ("POST /api/v1/notifications/{id}/resend/", ["change_notificationhistory", "overrule_wish"]),
    ],
)
def test_who_has_the_right_may(depot: Depot, label: str, codenames: list[str]) -> None:
    assert ask(depot, staff(*codenames), label).status_code in (200, 201)
    for missing in codenames:
        others = [codename for codename in codenames if codename != missing]
        assert ask(depot, staff(*others), label).status_code == 403


def test_who_may_place_orders_makes_no_customers() -> None:
    body: dict[str, Any] = {
        "new_customer": {"name": "王", "address": "台北市大安區信義路四段1號"},
        "items": [],
        "scheduled_date": "2099-01-01",
    }
    user = staff("add_order")
    client = APIClient(HTTP_ACCEPT_LANGUAGE="en", HTTP_AUTHORIZATION=f"Bearer {Refresh.for_user(user).access_token}")
    body["items"] = [{"product": make_order().items.get().product_id, "quantity": 1}]
    answer = client.post("/api/v1/orders/", body, format="json")
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (403, "new_customer")


@pytest.mark.parametrize(
    ("codenames", "code"), [([], "forbidden"), (["view_order"], "forbidden"), (["change_order"], "")]
)
def test_commands_of_staff_on_a_socket_ask_for_the_right(codenames: list[str], code: str) -> None:
    user, order = staff(*codenames), make_order()
    identity = Identity.of(user)
    message = {"type": "order_update", "order_id": order.pk, "status": "confirmed"}
    try:
        said = _carry_out(identity, message, _update)["type"]
    except Refusal as refusal:
        said = refusal.code
    order.refresh_from_db()
    assert (said, order.status) == ((code, "pending") if code else ("ack", "confirmed"))


@pytest.mark.parametrize(("rights", "served"), [({}, 403), ({"POST": []}, 200), ({"GET": []}, 403)])
def test_a_call_that_names_no_right_is_for_nobody(rights: dict[str, list[str]], served: int) -> None:
    class Call(APIView):
        def post(self, request: Request) -> Response:
            return Response()

    Call.rights = rights  # type: ignore[attr-defined]
    request = APIRequestFactory().post("/")
    force_authenticate(request, make_staff(is_superuser=True))
    assert Call.as_view()(request).status_code == served


@pytest.mark.parametrize("method", ["put", "delete"])
def test_a_method_that_there_is_not_is_said_as_before(method: str) -> None:
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {Refresh.for_user(make_staff()).access_token}")
    assert getattr(client, method)("/api/v1/orders/").status_code == 405


def test_the_board_and_the_new_order_are_for_who_may_read_or_place_by_rest(client: Any) -> None:
    client.force_login(make_staff())
    home = client.get(reverse("home"))
    assert (home.status_code, "pages/office/board/board" in home.content.decode()) == (200, False)
    assert client.get(reverse("new_order")).status_code == 403
    client.force_login(make_office())
    assert "pages/office/board/board" in client.get(reverse("home")).content.decode()
    assert client.get(reverse("new_order")).status_code == 200
