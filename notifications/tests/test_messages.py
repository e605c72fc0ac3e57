from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from notifications import messages, segments
from notifications.models import NotificationHistory
from notifications.states import Kind
from orders.models import Customer, Order, TimeSlot


def rendered(kind: str, language: str = "zh-hant", **fields: Any) -> str:
    usual: dict[str, Any] = {"order_number": "1234-5674", "scheduled_date": date(2026, 11, 23), "time_slot": "morning"}
    return messages.render(
        NotificationHistory(kind=kind, customer=Customer(language=language), order=Order(**(usual | fields)))
    )


def test_confirmed_in_chinese() -> None:
    expected = "【幸福氣】您的瓦斯訂單 1234-5674 已確認。預計送達時間：11/23 上午"
    assert rendered(Kind.ORDER_CONFIRMED) == expected


def test_confirmed_in_english() -> None:
    assert rendered(Kind.ORDER_CONFIRMED, "en") == "【幸福氣】Gas order 1234-5674 is confirmed for 11/23 morning."


def test_any_time_is_not_said() -> None:
    assert rendered(Kind.ORDER_CONFIRMED, time_slot="anytime").endswith("11/23")


def test_an_unknown_language_is_chinese() -> None:
    assert rendered(Kind.ORDER_DELIVERED, "fr") == rendered(Kind.ORDER_DELIVERED)


@pytest.mark.parametrize("language", messages.TEXTS)
@pytest.mark.parametrize("kind", Kind)
def test_every_text_fits_one_segment_at_its_longest(kind: str, language: str) -> None:
    texts = [
        rendered(kind, language, scheduled_date=date(2026, 12, 31), time_slot=slot, order_number="8888-8888")
        for slot in TimeSlot
    ]
    assert {segments.count(text) for text in texts} == {1}


def test_the_worst_case_of_the_check_is_the_longest_there_is(settings: Any) -> None:
    longest = max(
        (rendered(kind, language, scheduled_date=date(2026, 12, 31), time_slot=slot, order_number="8888-8888")
         for kind in Kind for language in messages.TEXTS for slot in TimeSlot),
        key=len,
    )  # fmt: skip
    settings.SMS_SENDER += "氣" * (70 - len(longest))
    assert messages.segments_at_worst() == 1
    settings.SMS_SENDER += "氣"
    assert messages.segments_at_worst() == 2


def test_without_a_registered_sender_there_is_no_prefix(settings: Any) -> None:
    settings.SMS_SENDER = ""
    assert rendered(Kind.ORDER_DELIVERED, "en").startswith("Gas order")
