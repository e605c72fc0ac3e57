from __future__ import annotations

from datetime import UTC, datetime

import pytest

from notifications.gateways import fields

AT = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["20261122093000", "2026/11/22 09:30:00"])
def test_a_moment_is_taipeis(text: str) -> None:
    assert fields.moment(text) == AT


# What .NET says where it has no date, and what no clock and no database can keep.
@pytest.mark.parametrize("text", ["", "0001/01/01 00:00:00", "00010101000000", "19700101080000", "99991231235959", "x"])
def test_what_is_no_moment_is_none(text: str) -> None:
    assert fields.moment(text) is None
