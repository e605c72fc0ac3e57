from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from orders.api.order_output import WholeOrderOutput


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    out = StringIO()
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=out)
    schema: dict[str, Any] = yaml.safe_load(out.getvalue())
    return schema


def operations(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in schema["paths"].values() for operation in path.values()]


def test_operation_ids_are_unique(schema: dict[str, Any]) -> None:
    ids = [operation["operationId"] for operation in operations(schema)]
    assert len(set(ids)) == len(ids)


def test_every_error_response_has_the_error_format(schema: dict[str, Any]) -> None:
    for operation in operations(schema):
        for status, response in operation["responses"].items():
            if status >= "4":
                assert response == {"$ref": f"#/components/responses/Error{status}"}, operation["operationId"]
    for response in schema["components"]["responses"].values():
        content = response["content"]["application/json"]["schema"]
        assert content == {"$ref": "#/components/schemas/ErrorResponse"}


def test_schema_has_no_put_or_delete(schema: dict[str, Any]) -> None:
    assert {method for path in schema["paths"].values() for method in path} <= {"get", "post", "patch"}


def test_only_fields_that_all_roles_see_are_required(schema: dict[str, Any]) -> None:
    order = schema["components"]["schemas"]["WholeOrderOutput"]
    assert set(order["required"]) == WholeOrderOutput.seen_by_all()
    assert {"history", "driver", "customer_phone"} <= set(order["properties"])


def test_schema_forbids_unknown_fields(schema: dict[str, Any]) -> None:
    assert schema["components"]["schemas"]["NewOrder"]["additionalProperties"] is False


@pytest.mark.parametrize("path", ["/api/v1/schema/", "/api/v1/docs/"])
def test_api_schema_and_reference_need_no_sign_in(path: str) -> None:
    assert Client().get(path).status_code == 200


def test_api_reference_loads_nothing_from_other_sites() -> None:
    html = Client().get("/api/v1/docs/").content.decode()
    assert "swagger-ui-bundle.js" in html
    assert "//cdn" not in html
    assert "https://" not in html


def test_event_id_headers_are_described(schema: dict[str, Any]) -> None:
    answers = schema["paths"]["/api/v1/orders/{id}/"]["get"]["responses"]
    assert {"ETag", "Last-Event-Id", "Last-Event-Epoch"} <= set(answers["200"]["headers"])


def test_call_with_query_parameters_documents_400(schema: dict[str, Any]) -> None:
    calls = [call for call in operations(schema) if any(name["in"] == "query" for name in call.get("parameters", ()))]
    assert len(calls) > 5
    assert all("400" in call["responses"] for call in calls)
