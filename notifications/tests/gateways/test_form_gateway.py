from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from notifications.gateways.form_gateway import moment

AT = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "20261122093000", "202611220930", "2026/11/22 09:30:00", " 2026/11/22  9:30 ", "2026-11-22T01:30:00Z",
        "2026-11-22 09:30:00.000", "2026-11-22T10:30:00+09:00", "2026/11/22 上午 09:30:00", "2026/11/22 09:30 AM",
        "20261122 093000", "２０２６/11/22 09：30", "2026/11/22 \u200e上午09:30",
        "2026年11月22日 上午9:30", "2026/11/22 A.M. 9:30",
    ],
)  # fmt: skip
def test_a_moment_is_taipeis(text: str) -> None:
    assert moment(text) == AT


@pytest.mark.parametrize(
    ("half", "hour"),
    [
        ("下午 03:00", 15), ("PM 3:00", 15), ("3:00 p.m.", 15), ("上午 12:00", 0), ("12:00 am", 0), ("下午 12:00", 12),
        ("中午 12:00", 12), ("晚上 11:00", 23), ("傍晚 6:00", 18), ("下午 15:00", 15), ("凌晨 1:00", 1), ("15:00", 15),
    ],
)  # fmt: skip
def test_the_half_of_the_day_is_understood(half: str, hour: int) -> None:
    at = moment(f"2026/11/22 {half}")
    assert at == datetime(2026, 11, 22, hour, tzinfo=timezone(timedelta(hours=8)))


# What .NET says where it has no date, and what no clock and no database can keep.
@pytest.mark.parametrize(
    "text",
    [
        "",
        "0001/01/01 00:00:00",
        "00010101000000",
        "19700101080000",
        "99991231235959",
        "x",
        "2026/11/22 上午 15:00",
        "2026/11/22 晚上 12:00",
        "2026/11/22 ¾È 03:00",
        "2026/11/22 25:00",
        "2026/13/22 09:00",
        "2026/11/22 09:30+99:99",
    ],
)
def test_what_is_no_moment_is_none(text: str) -> None:
    assert moment(text) is None
