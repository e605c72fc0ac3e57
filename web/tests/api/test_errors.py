from __future__ import annotations

from typing import Any
from unittest import mock

import psycopg
import pytest
from django.core.exceptions import SuspiciousOperation, ValidationError
from django.db import DataError, IntegrityError, InterfaceError, InternalError, OperationalError

from orders.api.orders import Orders
from orders.models.order import VersionConflict
from orders.tests.api.client import V1, Api, codes, make_api
from orders.tests.factories import make_office, make_order, make_user
from web.api.errors import UnknownPath
from web.refusals import Refusal

pytestmark = pytest.mark.django_db


def test_the_log_has_the_code_and_not_escaped_words(caplog: pytest.LogCaptureFixture) -> None:
    answer_to(RuntimeError("secret"))
    said = [record.getMessage() for record in caplog.records if record.name == "django.request"]
    assert said == ["error: /api/v1/orders/"]


def answer_to(raised: Exception) -> Any:
    with mock.patch.object(Orders, "get_queryset", side_effect=raised):
        return make_api("office").get("orders/")


def with_state(code: str) -> InternalError:
    """As Django raises what psycopg does: frozen in a transaction, a standby, a transaction that failed before."""
    error = InternalError("secret")
    error.__cause__ = psycopg.errors.lookup(code)()
    return error


@pytest.mark.parametrize(
    ("raised", "status", "kind", "code", "attr"),
    [
        (Refusal("no_way", "No.", attr="x"), 400, "validation_error", "no_way", "x"),
        (Refusal("no_way", "No.", attr="x", status=403), 403, "client_error", "no_way", "x"),
        (VersionConflict(7), 409, "client_error", "version_conflict", "version"),
        (ValidationError("No.", code="odd"), 400, "validation_error", "odd", None),
        (ValidationError({"phone": ["No."]}), 400, "validation_error", "invalid", "phone"),
        (SuspiciousOperation(), 400, "client_error", "parse_error", None),
        (DataError("out of range"), 400, "client_error", "invalid", None),
        (OverflowError(), 400, "client_error", "invalid", None),
        (IntegrityError("one_command_a_ref"), 409, "client_error", "conflict", None),
        (OperationalError("database is locked"), 503, "server_error", "busy", None),
        (InterfaceError("connection already closed"), 503, "server_error", "busy", None),
        (with_state("25P03"), 503, "server_error", "busy", None),
        (with_state("25006"), 503, "server_error", "busy", None),
        (with_state("25P02"), 500, "server_error", "error", None),
        (RuntimeError("secret"), 500, "server_error", "error", None),
    ],
)
def test_everything_raised_has_one_shape(raised: Exception, status: int, kind: str, code: str, attr: str) -> None:
    answer = answer_to(raised)
    assert (answer.status_code, answer.json()["type"], codes(answer)) == (status, kind, [(code, attr)])
    assert b"secret" not in answer.content
    assert b"Traceback" not in answer.content


def test_a_conflict_carries_the_present_version() -> None:
    assert answer_to(VersionConflict(7))["ETag"] == '"7"'


def test_busy_says_when_to_come_back() -> None:
    assert answer_to(OperationalError())["Retry-After"] == "1"


@pytest.mark.parametrize("path", ["", "nothing/", "orders", "orders/1/nothing/", "orders/1/status", "%00/", "訂單/"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_unknown_path_is_404_in_the_shape(path: str, method: str) -> None:
    answer = getattr(Api().client, method)(V1 + path)
    assert (answer.status_code, codes(answer)) == (404, [("not_found", None)])


def test_errors_are_cut() -> None:
    answer = make_api("office").post("orders/bulk-update/", {"ids": [-1] * 200, "priority": "urgent"})
    assert len(codes(answer)) == 50


@pytest.mark.parametrize(
    ("language", "detail"), [("en", "Not found."), ("zh-Hant", "找不到資源。"), ("", "找不到資源。")]
)
def test_detail_is_in_the_language_of_the_caller(language: str, detail: str) -> None:
    api = make_api("office")
    answer = api.client.get(V1 + "orders/999999/", headers={"accept-language": language})
    assert answer.json()["errors"][0]["detail"] == detail


def test_a_wrong_content_type_is_415() -> None:
    answer = make_api("office").client.post(V1 + "orders/", b"a=1", content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, codes(answer)) == (415, [("unsupported_media_type", None)])


def test_an_accept_that_cannot_be_met_is_406() -> None:
    answer = make_api("office").client.get(V1 + "orders/", headers={"accept": "text/xml"})
    assert (answer.status_code, codes(answer)) == (406, [("not_acceptable", None)])


def test_the_session_needs_its_csrf_token() -> None:
    user = make_user(is_staff=True)
    api = Api()
    api.client = type(api.client)(enforce_csrf_checks=True)
    api.client.force_login(user)
    answer = api.post("orders/", {})
    assert (answer.status_code, codes(answer)) == (403, [("permission_denied", None)])


def test_the_session_reads() -> None:
    api = Api()
    api.client.force_login(make_office())
    assert api.get(f"orders/{make_order().pk}/").status_code == 200


def test_the_fallback_is_not_in_the_schema() -> None:
    assert UnknownPath.schema is None
