from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from accounts.api.tokens import Refresh
from orders.tests.api.client import Api, codes
from orders.tests.factories import PASSWORD, make_customer, make_driver, make_product, make_staff, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("rights", "expected"), [({}, 403), ({"POST": []}, 200), ({"GET": []}, 403)])
def test_view_without_rights_for_the_method_is_refused_to_everybody(
    rights: dict[str, list[str]], expected: int
) -> None:
    class Call(APIView):
        def post(self, request: Request) -> Response:
            return Response()

    Call.rights = rights  # type: ignore[attr-defined]
    request = APIRequestFactory().post("/")
    force_authenticate(request, make_staff("owner"))
    assert Call.as_view()(request).status_code == expected


@pytest.mark.parametrize("method", ["put", "delete"])
def test_unknown_method_is_405_for_every_role(method: str) -> None:
    for user, status in ((make_staff(), 405), (make_driver().user, 405), (make_user(), 403)):
        client = APIClient(HTTP_AUTHORIZATION=f"Bearer {Refresh.for_user(user).access_token}")
        assert getattr(client, method)("/api/v1/orders/").status_code == status


@pytest.mark.parametrize(
    ("language", "detail"),
    [("en", "Only a manager or the owner may do this."), ("zh-hant", "只有店長或老闆有這項權限。")],
)
def test_refusal_names_the_roles_that_may(language: str, detail: str) -> None:
    api, product = Api(make_staff("clerk")), make_product(price=800)
    answer = api.client.patch(
        f"/api/v1/products/{product.pk}/", {"price": 1}, format="json", headers={"accept-language": language}
    )
    assert (answer.status_code, answer.json()["errors"][0]) == (
        403, {"code": "forbidden", "detail": detail, "attr": None},
    )  # fmt: skip
    product.refresh_from_db()
    assert product.price == 800


@pytest.mark.parametrize("path", ["orders/warnings/", "drivers/locations/"])
def test_refusal_of_all_rows_does_not_name_a_role_that_may_see_its_own(path: str) -> None:
    user = make_customer(user=make_user()).user if path.startswith("orders") else make_driver().user
    (error,) = Api(user).get(path).json()["errors"]
    assert error["detail"] == "Only the office may do this."


def test_user_without_a_role_gets_no_token_and_no_data() -> None:
    user = make_user()
    refused = Api().post("auth/token/", {"username": user.username, "password": PASSWORD})
    assert (refused.status_code, codes(refused)) == (403, [("no_role", None)])
    assert codes(Api(user).get("orders/")) == [("no_role", None)]


def test_user_who_lost_the_role_gets_no_new_token() -> None:
    driver = make_driver()
    refresh = Refresh.for_user(driver.user)
    driver.is_active = False
    driver.save()
    assert codes(Api().post("auth/token/refresh/", {"refresh": str(refresh)})) == [("no_role", None)]


def test_staff_role_needs_no_separate_query() -> None:
    api = Api(make_staff("clerk"))
    api.get("routes/")  # creates the only row of the event log's head
    with CaptureQueriesContext(connection) as queries:
        assert api.get("routes/").status_code == 200
    # Four queries: the account with its role, the count, the rows, and the head of the event log.
    assert len(queries) <= 4, [query["sql"] for query in queries]
