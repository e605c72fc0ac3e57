from __future__ import annotations

import pytest
from structlog.contextvars import bound_contextvars

from web import request_id


@pytest.mark.parametrize("given", ["a" * 8, "a" * 64, "1f0e-AB-99"])
def test_well_formed_id_is_used(given: str) -> None:
    assert request_id.given_or_new(given) == given


@pytest.mark.parametrize(
    "given", ["", "a" * 7, "a" * 65, "abcdefgh\n", 'abcdefgh"', "abcd efgh", "一二三四五六七八", "abcdefgh_"]
)
def test_malformed_id_is_replaced(given: str) -> None:
    new = request_id.given_or_new(given)
    assert new != given
    assert request_id.WELL_FORMED.fullmatch(new)


def test_current_id_is_the_bound_one() -> None:
    assert request_id.current() == ""
    with bound_contextvars(request_id="abcdefgh"):
        assert request_id.current() == "abcdefgh"
    assert request_id.current() == ""
