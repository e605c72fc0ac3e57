from __future__ import annotations

from datetime import date

import pytest

from orders.importing.cells import CellError
from orders.importing.dates import parse_date

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23", "2026/11/23", "2026.11.23", "20261123", "2026年11月23日",
        "2026/11/23 00:00", "2026-11-23 0:00:00", "2026-11-23T00:00:00",
        "115/11/23", "115.11.23", "1151123", "115年11月23日", "民國115年11月23日",
        "中華民國 115 年 11 月 23 日",
        "１１５／１１／２３", "２０２６－１１－２３",
        "11/23", "11月23日", "11-23", "2026/11/23(一)", "115年11月23日 星期一", " 2026 - 11 - 23 ",
    ],
)  # fmt: skip
def test_date_is_understood(text: str) -> None:
    assert parse_date(text, TODAY) == date(2026, 11, 23)


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-02-30", "2026-13-01", "115/2/29", "2/30", "0/0", "明天", "23/11/2026", "26/11/23",
        "46349", "2026-11", "x",
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
