"""`/api/v1/docs/`: each operation has a summary, and the examples of fields are valid."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from luckygas.api_reference import SUMMARIES


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    with translation.override("en"):
        document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return document


@pytest.fixture
def operations(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in schema["paths"].values() for operation in path.values()]


def test_each_operation_has_its_own_summary(operations: list[dict[str, Any]]) -> None:
    assert {operation["operationId"] for operation in operations} == SUMMARIES.keys()
    assert len(set(SUMMARIES.values())) == len(SUMMARIES)


def test_examples_are_valid_values(schema: dict[str, Any]) -> None:
    examples = 0
    for name, component in schema["components"]["schemas"].items():
        for field, described in component.get("properties", {}).items():
            if "example" in described and "$ref" not in str(described):
                examples += 1
                wrong = list(Draft202012Validator(described).iter_errors(described["example"]))
                assert wrong == [], f"{name}.{field}"
    assert examples > 200
