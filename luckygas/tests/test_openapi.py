"""Tries every API call with valid and invalid values. The schema must describe each response.

`FUZZ_EXAMPLES`: random requests per call and role. `FUZZ_SEED`: the seed of their generator; without one each run makes
the same requests (`make fuzz` sets both).
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, cast

import hypothesis
import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from pytest_django import Settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import GenerationConfig
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.api.tokens import Refresh
from luckygas.tests.depot import DRIVERS_ALONE, SECRET, SERVED, V1, Depot, good_request, make_depot
from orders.tests.test_proof_images import make_image
from web.api.errors import logger as refused_by_the_database

# Each test takes seconds, on a busy machine more than a minute.
pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))
SEED = os.environ.get("FUZZ_SEED")
SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES, derandomize=not SEED, database=None, deadline=None, phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
# `check_boundary_values` sends every n-th of its requests. With a seed it sends all of them, which takes a minute.
STRIDES = {GenerationMode.POSITIVE: 1 if SEED else 2, GenerationMode.NEGATIVE: 1 if SEED else 12}
# Both classes are generic. Their type arguments do not matter here.
APIOperation = schemathesis.APIOperation[Any, Any, Any, Any]
Case = schemathesis.Case[Any]
LANGUAGE, PEER = {"Accept-Language": "en"}, {"REMOTE_ADDR": "127.0.0.1"}
# Adds a valid picture, because random bytes never are one.
schemathesis.openapi.format("binary", st.just(make_image()) | st.binary())


@pytest.fixture
def depot(settings: Settings) -> Depot:
    settings.SMS_CALLBACK_SECRET = SECRET
    return make_depot()


def describe_schema(depot: Depot) -> Any:
    """Returns the schema, changed so that the depot's values are tried more often."""
    document = copy.deepcopy(SchemaGenerator().get_schema(request=None, public=True))  # type: ignore[no-untyped-call]
    for path, calls in document["paths"].items():
        for call in calls.values():
            for parameter in call.get("parameters", ()):
                known = depot.ids if parameter["name"] == "id" else depot.names
                name = path.split("/")[3] if parameter["name"] == "id" else parameter["name"]
                parameter["schema"] = _prefer(parameter["schema"], known.get(name))
    for schema in document["components"]["schemas"].values():
        for name, property_ in schema.get("properties", {}).items():
            schema["properties"][name] = _prefer_in_property(property_, depot.names.get(name))
    config = schemathesis.Config.from_dict({"generation": {"deterministic": not SEED}})
    loaded = schemathesis.openapi.from_dict(document, config=config)
    loaded.app = get_wsgi_application()
    return loaded


def _prefer_in_property(property_: dict[str, Any], values: list[Any] | None) -> dict[str, Any]:
    if property_.get("type") == "array" and "$ref" not in property_.get("items", {}):
        return property_ | {"items": _prefer(property_["items"], values)}
    plain = property_.get("type") in ("integer", "string") and property_.get("format") != "binary"
    return _prefer(property_, values) if plain else property_


def _prefer(schema: dict[str, Any], values: list[Any] | None) -> dict[str, Any]:
    return {"anyOf": [{"enum": values}, schema]} if values else schema


def operations(schema: Any) -> Iterator[APIOperation]:
    for found in schema.get_all_operations():
        yield found.ok()


class Undescribed(AssertionError):
    """The schema does not describe a response. The text contains the request."""


@dataclass
class Caller:
    """Sends requests with one user's headers. `served`: the calls that succeeded at least once."""

    headers: dict[str, str]
    served: set[str] = field(default_factory=set)

    def check(self, case: Case) -> None:
        response = case.call(headers=LANGUAGE | self.headers, environ_base=PEER)
        try:
            case.validate_response(response, checks=CHECKS)
        except (Failure, FailureGroup) as failure:
            problems = "\n".join(str(each) for each in getattr(failure, "exceptions", [failure]))
            raise Undescribed(f"{case.operation.label}: {problems}\n{case.as_curl_command()}") from None
        if response.status_code < 300:
            self.served.add(case.operation.label)


def check_random_requests(operation: APIOperation, caller: Caller) -> Iterator[Undescribed]:
    """Sends FUZZ_EXAMPLES random requests, valid and invalid ones according to the schema.

    Yields an error if the schema does not describe a response.
    """

    @SETTINGS
    @given(case=st.one_of([operation.as_strategy(generation_mode=mode) for mode in GenerationMode]))
    def check_all(case: Case) -> None:
        caller.check(case)

    yield from failures_of(hypothesis.seed(int(SEED))(check_all) if SEED else check_all)


def check_boundary_values(operation: APIOperation, caller: Caller) -> Iterator[Undescribed]:
    """Tries values at and beyond each bound, missing values, and values of a wrong type.

    Yields an error for each response that the schema does not describe.
    """
    for mode, stride in STRIDES.items():
        cases = cast("Any", operation.schema).iter_coverage_cases(
            operation, generation_modes=[mode], generation_config=GenerationConfig()
        )
        for case in islice(cases, 0, None, stride):
            yield from failures_of(partial(caller.check, case))


def caller_of(depot: Depot, role: str) -> Caller:
    user = depot.users.get(role)
    return Caller({"Authorization": f"Bearer {Refresh.for_user(user).access_token}"} if user else {})


def failures_of(checked: Callable[[], object]) -> Iterator[Undescribed]:
    try:
        checked()
    except Undescribed as found:
        yield found


Strategy = Callable[[APIOperation, Caller], Iterator[Undescribed]]


@pytest.mark.long
@pytest.mark.parametrize(
    ("strategy", "role"),
    [
        (check_boundary_values, "office"), (check_random_requests, "office"), (check_random_requests, "driver"),
        (check_random_requests, "customer"), (check_random_requests, "anonymous"),
    ],
)  # fmt: skip
def test_answers_match_the_schema(
    strategy: Strategy, role: str, depot: Depot, caplog: pytest.LogCaptureFixture
) -> None:
    caller, calls = caller_of(depot, role), list(operations(describe_schema(depot)))
    with caplog.at_level(logging.WARNING, refused_by_the_database.name):
        failures = [str(failure) for call in calls for failure in strategy(call, caller)]
    assert not failures, "\n\n".join(failures)
    assert [record for record in caplog.records if record.name == refused_by_the_database.name] == []


@pytest.mark.parametrize("role", ["office", "driver", "customer", "anonymous"])
def test_each_role_can_make_exactly_its_calls(role: str, depot: Depot) -> None:
    caller, calls = caller_of(depot, role), list(operations(describe_schema(depot)))
    for call in calls:
        caller.check(call.Case(**good_request(depot, role, call.label)))
    every = {call.label.replace(V1, "") for call in calls}
    assert {label.replace(V1, "") for label in caller.served} == SERVED.get(role, every - DRIVERS_ALONE)
