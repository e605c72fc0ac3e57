from __future__ import annotations

from datetime import date

import pytest
from django.utils import translation

from importing.cells import CellError
from importing.dates import parse_date

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23", "2026/11/23", "2026.11.23", "20261123", "2026年11月23日",
        "2026/11/23 00:00", "2026-11-23 0:00:00", "2026-11-23T00:00:00",
        "115/11/23", "115.11.23", "1151123", "115年11月23日", "民國115年11月23日",
        "中華民國 115 年 11 月 23 日",
        "１１５／１１／２３", "２０２６－１１－２３",
        "46349", "46349.0", "20261123.0", "1151123.0", "'2026-11-23", "2026/11/23 上午 12:00:00",
        "2026/11/23上午12:00", "2026/11/23 12:00:00 AM", "2026年11月23日 00:00", "115年11月23日 星期一 上午 12:00:00",
        "2026-11-23 00:00:00.000", "2026-11-23T00:00:00+08:00", "2026-11-23T00:00:00.000+0800", "2026-11-23 00:00 +08",
        "2026-11-22T16:00:00.000Z", "2026-11-23T00:00:00Z", "2026-11-24T00:59:59+09:00",
        "23-Nov-26", "23-Nov", "23 November 2026", "23-十一月-26", "十一月二十三日", "二〇二六年十一月二十三日",
        "民國一百一十五年十一月二十三日",
        "11/23", "11月23日", "11-23", "2026/11/23(一)", "115年11月23日 星期一", " 2026 - 11 - 23 ",
    ],
)  # fmt: skip
def test_date_is_understood(text: str) -> None:
    assert parse_date(text, TODAY) == date(2026, 11, 23)


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-02-30", "2026-13-01", "115/2/29", "2/30", "0/0", "明天", "23/11/2026", "26/11/23",
        "2026-11", "x",
        "2026/11/10:00", "2026-11-23 08:30", "2026-11-23-24", "9" * 501, "٢٠٢٦-١١-٢٣x",
    ],
)  # fmt: skip
def test_date_is_refused(text: str) -> None:
    with pytest.raises(CellError):
        parse_date(text, TODAY)


@pytest.mark.parametrize("text", ["2062-11-23", "2016/11/23", "15年11月23日", "215/11/23", "2027-11-23"])
def test_date_more_than_a_year_away_is_refused(text: str) -> None:
    with pytest.raises(CellError):
        parse_date(text, TODAY)


def test_date_just_within_a_year_is_understood() -> None:
    assert parse_date("2027-11-22", TODAY) == date(2027, 11, 22)


@pytest.mark.parametrize(
    ("text", "today", "day"),
    [
        ("1/2", date(2026, 12, 30), date(2027, 1, 2)),
        ("12/30", date(2027, 1, 2), date(2026, 12, 30)),
        ("2/29", date(2027, 3, 1), date(2028, 2, 29)),
    ],
)
def test_date_without_a_year_is_the_nearest(text: str, today: date, day: date) -> None:
    assert parse_date(text, today) == day


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("12.2", ["2026-12-02", "2026-12-20"]), ("12.1", ["2026-12-01", "2026-12-10"]), ("１１．３",
        ["2026-11-03", "2026-11-30"]),
        ("1.1", ["2027-01-01", "2027-01-10"]),
        ("12/01/2026", ["2026-12-01", "2026-01-12"]), ("1.12.2026", ["2026-12-01", "2026-01-12"]),
        ("1201", ["2026-12-01", "2027-01-12"]),
        ("121", ["2026-12-01", "2027-01-21"]), ("12012026", ["2026-12-01", "2026-01-12"]), ("115121",
        ["2026-12-01", "2026-01-21"]),
        ("12/1/115", ["2026-12-01", "2026-01-12"]), ("13/01/2026", ["2026-01-13"]), ("261201",
        ["2026-12-01"]), ("1231", ["2026-12-31"]),
    ],
)  # fmt: skip
def test_what_may_be_two_days_is_refused_with_each(text: str, days: list[str]) -> None:
    with pytest.raises(CellError) as refused:
        parse_date(text, TODAY)
    assert all(day in str(refused.value) for day in days)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("12.20", date(2026, 12, 20)), ("12.02", date(2026, 12, 2)), ("12.4", date(2026, 12, 4)), ("2.3",
        date(2027, 2, 3)),
        ("12.2(三)", date(2026, 12, 2)), ("12.2日", date(2026, 12, 2)), ("115.12.2", date(2026, 12, 2)),
    ],
)  # fmt: skip
def test_a_point_between_month_and_day_is_read_where_no_zero_can_be_missing(text: str, day: date) -> None:
    assert parse_date(text, TODAY) == day


def test_an_instant_is_the_day_that_it_is_in_taipei() -> None:
    assert parse_date("2026-11-22T15:59:59Z", TODAY) == date(2026, 11, 22)
    assert parse_date("2026-11-24T00:30:00+09:00", TODAY) == date(2026, 11, 23)


@pytest.mark.parametrize("text", ["46349.375", "2026/11/23 下午 02:00:00", "2026-11-23 08:30", "2026/11/23 12:00"])
def test_a_time_of_day_beside_the_date_is_refused_as_what_it_is(text: str) -> None:
    with translation.override("en"), pytest.raises(CellError, match="time of day"):
        parse_date(text, TODAY)
