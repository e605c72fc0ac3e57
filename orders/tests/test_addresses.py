from __future__ import annotations

import pytest

from orders.addresses import comparable, district


@pytest.mark.parametrize(
    ("address", "area"),
    [
        ("台北市大安區信義路四段1號", "大安區"),
        ("106台北市大安區信義路四段1號", "大安區"),
        ("新北市新店區北新路三段231號8樓", "新店區"),
        ("桃園市中壢區中正路1號", "中壢區"),
        ("南投縣竹山鎮集山路1號", "竹山鎮"),
        ("彰化縣彰化市中正路1號", "彰化市"),
        ("信義路四段1號", ""),
        ("", ""),
    ],
)
def test_district(address: str, area: str) -> None:
    assert district(address) == area


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("臺北市大安區信義路四段1號", "台北市大安區信義路四段１號"),
        ("台北市 大安區信義路四段1號 8F", "台北市大安區信義路四段1號8樓"),
    ],
)
def test_the_same_address_written_another_way(one: str, other: str) -> None:
    assert comparable(one) == comparable(other)


def test_another_floor_is_another_address() -> None:
    assert comparable("信義路1號8樓") != comparable("信義路1號7樓")
