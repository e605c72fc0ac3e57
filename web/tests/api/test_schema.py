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
    made: dict[str, Any] = yaml.safe_load(out.getvalue())
    return made


def operations(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in schema["paths"].values() for operation in path.values()]


def test_each_operation_has_one_id(schema: dict[str, Any]) -> None:
    ids = [operation["operationId"] for operation in operations(schema)]
    assert len(set(ids)) == len(ids)


def test_every_error_has_the_one_shape(schema: dict[str, Any]) -> None:
    for operation in operations(schema):
        for status, response in operation["responses"].items():
            if status >= "4":
                assert response == {"$ref": f"#/components/responses/Error{status}"}, operation["operationId"]
    for response in schema["components"]["responses"].values():
        content = response["content"]["application/json"]["schema"]
        assert content == {"$ref": "#/components/schemas/ErrorResponse"}


def test_nothing_is_deleted_or_put(schema: dict[str, Any]) -> None:
    assert {method for path in schema["paths"].values() for method in path} <= {"get", "post", "patch"}


def test_only_what_all_roles_see_is_promised(schema: dict[str, Any]) -> None:
    order = schema["components"]["schemas"]["WholeOrderOutput"]
    assert set(order["required"]) == WholeOrderOutput.seen_by_all()
    assert {"history", "driver", "customer_phone"} <= set(order["properties"])


def test_unknown_fields_are_announced_as_refused(schema: dict[str, Any]) -> None:
    assert schema["components"]["schemas"]["NewOrder"]["additionalProperties"] is False


@pytest.mark.parametrize("path", ["/api/v1/schema/", "/api/v1/docs/"])
def test_the_documents_are_open_to_all(path: str) -> None:
    assert Client().get(path).status_code == 200


def test_the_document_loads_nothing_from_elsewhere() -> None:
    html = Client().get("/api/v1/docs/").content.decode()
    assert "swagger-ui-bundle.js" in html
    assert "//cdn" not in html
    assert "https://" not in html


def test_the_headers_that_clients_build_on_are_described(schema: dict[str, Any]) -> None:
    answers = schema["paths"]["/api/v1/orders/{id}/"]["get"]["responses"]
    assert {"ETag", "Last-Event-Id", "Last-Event-Epoch"} <= set(answers["200"]["headers"])


def test_whatever_has_a_query_may_answer_that_it_is_wrong(schema: dict[str, Any]) -> None:
    asked = [call for call in operations(schema) if any(name["in"] == "query" for name in call.get("parameters", ()))]
    assert len(asked) > 5
    assert all("400" in call["responses"] for call in asked)
