from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from customers.models import Customer
from notifications import carrier_rules, texts
from notifications.models import MessageTemplate, NotificationHistory
from notifications.states import Kind
from orders.models import Order, TimeSlot


def rendered(kind: str, language: str = "zh-hant", template: MessageTemplate | None = None, **fields: Any) -> str:
    usual: dict[str, Any] = {"order_number": "1234-5674", "scheduled_date": date(2026, 11, 23), "time_slot": "morning"}
    row = NotificationHistory(kind=kind, customer=Customer(language=language), order=Order(**(usual | fields)))
    row.template = template or MessageTemplate(kind=kind)
    return row.render()


def test_confirmed_in_chinese() -> None:
    expected = "【幸福氣】您的瓦斯訂單 1234-5674 已確認。預計送達時間：11/23 上午"
    assert rendered(Kind.ORDER_CONFIRMED) == expected


def test_confirmed_in_english() -> None:
    assert rendered(Kind.ORDER_CONFIRMED, "en") == "【幸福氣】Gas order 1234-5674 is confirmed for 11/23 morning."


def test_any_time_is_not_said() -> None:
    assert rendered(Kind.ORDER_CONFIRMED, time_slot="anytime").endswith("11/23")


def test_an_unknown_language_is_chinese() -> None:
    assert rendered(Kind.ORDER_DELIVERED, "fr") == rendered(Kind.ORDER_DELIVERED)


@pytest.mark.parametrize("language", texts.TEXTS)
def test_every_part_of_the_day_has_its_word(language: str) -> None:
    assert set(texts.SLOTS[language]) == set(TimeSlot) - {TimeSlot.ANYTIME}


def every_text(**fields: Any) -> list[str]:
    return [
        rendered(kind, language, scheduled_date=date(2026, 12, 31), time_slot=slot, order_number="8888-8888", **fields)
        for kind in Kind
        for language in texts.TEXTS
        for slot in TimeSlot
    ]


@pytest.mark.parametrize("eta", [None, datetime(2026, 12, 31, 6, tzinfo=UTC)])
def test_every_default_text_fits_one_segment_at_its_longest(settings: Any, eta: datetime | None) -> None:
    settings.TRACKING_URL = "https://lg.tw/t/"
    assert [text for text in every_text(eta=eta) if carrier_rules.segments(text) > 1] == []


def test_the_worst_case_of_the_check_is_the_longest_there_is(settings: Any) -> None:
    settings.TRACKING_URL = "https://lg.tw/t/"
    longest = max([*every_text(), *every_text(eta=datetime(2026, 12, 31, 6, tzinfo=UTC))], key=len)
    settings.SMS_SENDER += "氣" * (70 - len(longest))
    assert texts.segments_at_worst(settings.TRACKING_URL) == 1
    settings.SMS_SENDER += "氣"
    assert texts.segments_at_worst(settings.TRACKING_URL) == 2


def test_on_the_way_names_hour_and_link(settings: Any) -> None:
    settings.TRACKING_URL = "https://lg.tw/t/"
    text = rendered(Kind.DRIVER_ON_THE_WAY, eta=datetime(2026, 11, 23, 6, 30, tzinfo=UTC), tracking_token="abc")
    assert text == "【幸福氣】司機已出發，訂單 1234-5674 預計 14:30 送達。即時位置 https://lg.tw/t/abc"


@pytest.mark.parametrize(
    ("language", "slot", "expected"),
    [("zh-hant", "morning", " 上午 "), ("zh-hant", "anytime", " 今天 "), ("en", "evening", " this evening:")],
)
def test_without_an_hour_on_the_way_names_the_part_of_the_day(language: str, slot: str, expected: str) -> None:
    assert expected in rendered(Kind.DRIVER_ON_THE_WAY, language, time_slot=slot)


def test_the_words_of_the_office_are_sent_with_the_sender_in_front() -> None:
    template = MessageTemplate(kind=Kind.ORDER_DELIVERED, body_zh="訂單 {order_number} 送到了")
    assert rendered(Kind.ORDER_DELIVERED, template=template) == "【幸福氣】訂單 1234-5674 送到了"


@pytest.mark.parametrize("body", ["{order_number.__class__}", "{0}", "{nobody}", "{order_number!r}", "{", "{{x}}"])
def test_words_are_no_code(body: str) -> None:
    template = MessageTemplate(kind=Kind.ORDER_DELIVERED, body_zh=body)
    assert rendered(Kind.ORDER_DELIVERED, template=template) == "【幸福氣】" + body
