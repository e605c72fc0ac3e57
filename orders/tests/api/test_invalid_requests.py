from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orders.tests.api.client import codes, make_api
from orders.tests.factories import (
    make_order,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path", ["orders/{}/", "customers/1/", "products/1/", "drivers/1/", "routes/1/", "orders/", "orders/bulk-update/"]
)
def test_delete_put_and_options_are_not_allowed(path: str) -> None:
    api = make_api("office")
    target = "/api/v1/" + path.format(make_order().pk)
    for method in (api.client.delete, api.client.put, api.client.options):
        answer = method(target)
        assert (answer.status_code, codes(answer)) == (405, [("method_not_allowed", None)])


@pytest.mark.parametrize("pk", ["0", "999999", str(10**30), "9" * 5000, "x", "%00", "-1", "1.5"])
def test_unknown_order_is_404(pk: str) -> None:
    api = make_api("office")
    for answer in (api.get(f"orders/{pk}/"), api.patch(f"orders/{pk}/status/", {"status": "confirmed"})):
        assert (answer.status_code, codes(answer)) == (404, [("not_found", None)])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["customer", "items", "scheduled_date", "time_slot", "delivery_address", "notes", "priority", "status", "reason",
     "version", "at", "ref", "driver"]
)  # fmt: skip
BODIES = VALUES | st.dictionaries(NAMES, VALUES, max_size=5)


@pytest.mark.long
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES)
@example(body={"items": [{}]})
def test_no_request_body_causes_500(body: Any, db: None) -> None:
    order, api = make_order(), make_api("office")
    answers = [
        api.post("orders/", body),
        api.patch(f"orders/{order.pk}/", body),
        api.patch(f"orders/{order.pk}/status/", body),
        api.post("orders/bulk-update/", body),
        api.post(f"orders/{order.pk}/confirm-delivery/", body),
    ]
    assert [answer.status_code for answer in answers if answer.status_code >= 500] == []
