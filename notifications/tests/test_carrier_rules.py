from __future__ import annotations

from typing import Any

import pytest

from notifications import carrier_rules
from notifications.states import Reason

DATES = [
    "2026-12-31", "2026/1/2", "2026.12.31", "115/11/23", "11/23 12-13 點", "2026/11/23-11/25", "11/23 – 12/5",
    "2026-12-31 至 2027-01-02",
]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "電話 0912345678", "電話 0912-345-678", "電話：(02) 2930-0016", "０９１２３４５６７８", "+886 912 345 678",
        "0912\u200b345\u200b678", "09 12 34 56 78", "٠٩١٢٣٤٥٦٧٨", "0912/345/678",
        "0912,345,678", "0912・345・678", "0912·345·678", "0912_345_678", "12/31 0912-345-678", "09-12-34-56-78",
        "0912.10.10.10", "0912 10-10 10",
    ],
)  # fmt: skip
def test_a_telephone_number_is_found(text: str) -> None:
    assert carrier_rules.telephones(text)
    assert carrier_rules.violation(text, text) == Reason.NOT_REGISTERED


@pytest.mark.parametrize("text", ["10-15分鐘", "11/23-11/25", "20kg × 2", "12:30–13:45", "NT$1600", "1.5 公斤", *DATES])
def test_other_figures_are_none(text: str) -> None:
    assert carrier_rules.telephones(text) == []


def test_what_the_system_put_in_is_no_telephone_number() -> None:
    assert carrier_rules.violation("訂單 1234-5674", "訂單  ") is None


@pytest.mark.parametrize(
    "text",
    [
        "https://bit.ly/x", "HTTP://BIT.LY", "www.幸福氣.tw", "看 bit.ly/3abc", "ｂｉｔ．ｌｙ／x", "bit。ly", "https://lg.tw@evil.com/",
        "evil.com/lg.tw", "https://lg.tw.evil.com", "幸福氣bit.ly", "b\u200bit.ly", "https://幸福氣.台灣", "gas.台灣", "https://notlg.tw/t/x",
        "例子.com", "請看例子.com/x", "幸福.台灣", "1.2.3.4/x", "http://1.2.3.4", "1.2.3.4",
    ],
)  # fmt: skip
def test_a_foreign_link_is_found(settings: Any, text: str) -> None:
    settings.SMS_LINK_HOSTS = ["lg.tw"]
    assert carrier_rules.foreign_links(text)
    assert carrier_rules.violation(text, "") == Reason.NOT_REGISTERED


@pytest.mark.parametrize(
    "text",
    [
        "位置 https://lg.tw/t/abc",
        "LG.TW/t/abc",
        "https://lg.tw.",
        "https://lg.tw:443/t",
        "lg.tw。",
        "送達。感謝！",
        "11.23 上午",
        "3.5kg",
        "感謝惠顧。台灣加油",
        "2026.11.23",
        "謝謝.",
    ],
)
def test_a_registered_link_and_plain_words_pass(settings: Any, text: str) -> None:
    settings.SMS_LINK_HOSTS = ["lg.tw"]
    assert carrier_rules.foreign_links(text) == []


def test_without_a_list_the_host_of_our_own_link_is_registered(settings: Any) -> None:
    settings.SMS_LINK_HOSTS, settings.TRACKING_URL = [], "https://Gas.Example.tw/t/"
    assert carrier_rules.foreign_links("https://gas.example.tw/t/abc") == []
    assert carrier_rules.foreign_links("https://lg.tw/t/abc") == ["lg.tw"]


def test_more_than_three_segments_are_too_long() -> None:
    assert carrier_rules.violation("瓦" * 201, "") is None
    assert carrier_rules.violation("瓦" * 202, "") == Reason.TOO_LONG
