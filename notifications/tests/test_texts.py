from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation

from customers.models import Customer
from notifications import carrier_rules, texts
from notifications.masking import mask, mask_numbers
from notifications.models import MessageTemplate, NotificationHistory
from notifications.states import MessageKind, Reason
from notifications.texts import Preview
from orders.models import Order, TimeSlot


def render(kind: str, language: str = "zh-hant", template: MessageTemplate | None = None, **fields: Any) -> str:
    usual: dict[str, Any] = {"order_number": "1234-5674", "scheduled_date": date(2026, 11, 23), "time_slot": "morning"}
    row = NotificationHistory(kind=kind, customer=Customer(language=language), order=Order(**(usual | fields)))
    row.template = template or MessageTemplate(kind=kind)
    return row.render()


def test_confirmation_is_rendered_in_chinese() -> None:
    expected = "【幸福氣】您的瓦斯訂單 1234-5674 已確認。預計送達時間：11/23 上午"
    assert render(MessageKind.ORDER_CONFIRMED) == expected


def test_confirmation_is_rendered_in_english() -> None:
    assert render(MessageKind.ORDER_CONFIRMED, "en") == "【幸福氣】Gas order 1234-5674 is confirmed for 11/23 morning."


def test_any_time_is_left_out() -> None:
    assert render(MessageKind.ORDER_CONFIRMED, time_slot="anytime").endswith("11/23")


def test_unknown_language_gets_chinese_text() -> None:
    assert render(MessageKind.ORDER_DELIVERED, "fr") == render(MessageKind.ORDER_DELIVERED)


@pytest.mark.parametrize("language", texts.TEXTS)
def test_every_time_slot_has_a_text(language: str) -> None:
    assert set(texts.SLOTS[language]) == set(TimeSlot) - {TimeSlot.ANYTIME}


def every_text(**fields: Any) -> list[str]:
    return [
        render(kind, language, scheduled_date=date(2026, 12, 31), time_slot=slot, order_number="8888-8888", **fields)
        for kind in MessageKind
        for language in texts.TEXTS
        for slot in TimeSlot
    ]


@pytest.mark.parametrize("eta", [None, datetime(2026, 12, 31, 6, tzinfo=UTC)])
def test_longest_default_texts_fit_one_segment(settings: Any, eta: datetime | None) -> None:
    settings.TRACKING_URL = "https://lg.tw/t/"
    assert [text for text in every_text(eta=eta) if carrier_rules.segments(text) > 1] == []


def test_max_default_segments_counts_the_longest_text(settings: Any) -> None:
    settings.TRACKING_URL = "https://lg.tw/t/"
    longest = max([*every_text(), *every_text(eta=datetime(2026, 12, 31, 6, tzinfo=UTC))], key=len)
    settings.SMS_SENDER += "氣" * (70 - len(longest))
    assert texts.max_default_segments(settings.TRACKING_URL) == 1
    settings.SMS_SENDER += "氣"
    assert texts.max_default_segments(settings.TRACKING_URL) == 2


def test_on_the_way_has_time_and_link(settings: Any) -> None:
    settings.TRACKING_URL = "https://lg.tw/t/"
    text = render(MessageKind.DRIVER_ON_THE_WAY, eta=datetime(2026, 11, 23, 6, 30, tzinfo=UTC), tracking_token="abc")
    assert text == "【幸福氣】司機已出發，訂單 1234-5674 預計 14:30 送達。即時位置 https://lg.tw/t/abc"


@pytest.mark.parametrize(
    ("language", "slot", "expected"),
    [("zh-hant", "morning", " 上午 "), ("zh-hant", "anytime", " 今天 "), ("en", "evening", " this evening:")],
)
def test_on_the_way_without_eta_has_part_of_day(language: str, slot: str, expected: str) -> None:
    assert expected in render(MessageKind.DRIVER_ON_THE_WAY, language, time_slot=slot)


def test_custom_text_begins_with_sender() -> None:
    template = MessageTemplate(kind=MessageKind.ORDER_DELIVERED, body_zh="訂單 {order_number} 送到了")
    assert render(MessageKind.ORDER_DELIVERED, template=template) == "【幸福氣】訂單 1234-5674 送到了"


@pytest.mark.parametrize("body", ["{order_number.__class__}", "{0}", "{nobody}", "{order_number!r}", "{", "{{x}}"])
def test_custom_text_is_not_evaluated(body: str) -> None:
    template = MessageTemplate(kind=MessageKind.ORDER_DELIVERED, body_zh=body)
    assert render(MessageKind.ORDER_DELIVERED, template=template) == "【幸福氣】" + body


def problems(body: str, kind: MessageKind = MessageKind.ORDER_DELIVERED) -> list[str]:
    with translation.override("en"):
        return Preview(kind, "zh-hant", body).problems


@pytest.mark.parametrize("language", texts.TEXTS)
@pytest.mark.parametrize("kind", MessageKind)
def test_default_texts_have_no_problems(kind: MessageKind, language: str) -> None:
    assert Preview(kind, language, texts.TEXTS[language][kind]).problems == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{nobody}", "“{nobody}” is not a placeholder. You can use: {order_number}, {scheduled_date}, {tracking_url}."),
        ("{order_number.__class__}", "“{order_number.__class__}” is not a placeholder"),
        ("{order_number!r:>9}", "“{order_number!r:>9}” is not a placeholder"),
        ("{0}", "“{0}” is not a placeholder"),
        ("{order_number", "“{order_number” is not a placeholder"),
        ("order_number}", "“}” is not a placeholder"),
        ("{{order_number}}", "“{” is not a placeholder"),
        ("{eta}", "“{eta}” is not a placeholder"),
        ("請電 0912-345-678", "“0912-345-678” looks like a telephone number"),
        ("https://bit.ly/x", "“bit.ly” is not a registered link"),
        ("【幸福氣】已送達", "Please remove 【】 and the name inside"),
        ("瓦" * 197, "With the longest values this text takes 4 segments."),
    ],
)
def test_problem_names_its_cause(body: str, expected: str) -> None:
    assert problems(body)[0].startswith(expected)


def test_eta_is_allowed_for_driver_on_the_way() -> None:
    assert problems("{eta}", MessageKind.DRIVER_ON_THE_WAY) == []


def test_preview_counts_the_longest_form(settings: Any) -> None:
    settings.TRACKING_URL = "https://lg.tw/t/"
    found = Preview(MessageKind.ORDER_DELIVERED, "zh-hant", "{order_number} {scheduled_date}\r\n{tracking_url}")
    assert found.text == "【幸福氣】0000-0000 12/31 上午\nhttps://lg.tw/t/xxxxxxxxxxxx"
    with translation.override("en"):
        assert found.cost == f"At most {len(found.text)} characters: 1 segment, 1 point"


def test_invalid_text_is_refused_at_its_field() -> None:
    with pytest.raises(ValidationError) as refused:
        MessageTemplate(kind=MessageKind.ORDER_DELIVERED, body_en="{nobody}").clean()
    assert set(refused.value.message_dict) == {"body_en"}


def test_browser_line_ends_count_once() -> None:
    row = MessageTemplate(kind=MessageKind.ORDER_DELIVERED, body_zh=" a\r\nb ")
    row.clean()
    assert row.body_zh == "a\nb"


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
def test_telephone_number_is_found(text: str) -> None:
    assert carrier_rules.telephones(text)
    assert carrier_rules.violation(text, text) == Reason.NOT_REGISTERED


@pytest.mark.parametrize("text", ["10-15分鐘", "11/23-11/25", "20kg × 2", "12:30–13:45", "NT$1600", "1.5 公斤", *DATES])
def test_other_digits_are_no_telephone_number(text: str) -> None:
    assert carrier_rules.telephones(text) == []


def test_filled_in_values_are_no_telephone_number() -> None:
    assert carrier_rules.violation("訂單 1234-5674", "訂單  ") is None


@pytest.mark.parametrize(
    "text",
    [
        "https://bit.ly/x", "HTTP://BIT.LY", "www.幸福氣.tw", "看 bit.ly/3abc", "ｂｉｔ．ｌｙ／x", "bit。ly", "https://lg.tw@evil.com/",
        "evil.com/lg.tw", "https://lg.tw.evil.com", "幸福氣bit.ly", "b\u200bit.ly", "https://幸福氣.台灣", "gas.台灣", "https://notlg.tw/t/x",
        "例子.com", "請看例子.com/x", "幸福.台灣", "1.2.3.4/x", "http://1.2.3.4", "1.2.3.4",
    ],
)  # fmt: skip
def test_foreign_link_is_found(settings: Any, text: str) -> None:
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
def test_registered_link_and_plain_text_pass(settings: Any, text: str) -> None:
    settings.SMS_LINK_HOSTS = ["lg.tw"]
    assert carrier_rules.foreign_links(text) == []


def test_host_of_tracking_url_is_registered_by_default(settings: Any) -> None:
    settings.SMS_LINK_HOSTS, settings.TRACKING_URL = [], "https://Gas.Example.tw/t/"
    assert carrier_rules.foreign_links("https://gas.example.tw/t/abc") == []
    assert carrier_rules.foreign_links("https://lg.tw/t/abc") == ["lg.tw"]


def test_more_than_three_segments_are_too_long() -> None:
    assert carrier_rules.violation("瓦" * 201, "") is None
    assert carrier_rules.violation("瓦" * 202, "") == Reason.TOO_LONG


@pytest.mark.parametrize(
    ("recipient", "shown"),
    [
        ("+886912345678", "0912-***-678"),
        ("wang@example.org", "w***@example.org"),
        ('"a@b"@c.tw', '"***@c.tw'),
        ("", ""),
    ],
)
def test_recipient_is_masked(recipient: str, shown: str) -> None:
    assert mask(recipient) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0912345678", "0912-***-678"),
        ("call 0912-345-678, then 0987 654 321.", "call 0912-***-678, then 0987-***-321."),
        ("to=%2B886912345678&x", "to=0912-***-678&x"),
        ("886-912-345-678", "0912-***-678"),
        ("電話+88622930016;ext=29", "電話02-***-016;ext=29"),
        ("0912.345.678, +886 912 345 678", "0912-***-678, 0912-***-678"),
        ("0223456789, 02-2345-6789, (02)2345-6789", "02-***-789, 02-***-789, 02-***-789"),
        ("02 2345 6789, 037-123456", "02-***-789, 037-***-456"),
        ("+886 2 2345 6789, +886-2-2345-6789, 049-2345678", "02-***-789, 02-***-789, 049-***-678"),
        ("0836-22001, (0836)22-001, +886 836 22001", "0836-***-001, 0836-***-001, 0836-***-001"),
        ("0826 66001, 037-32-0001, 089 320 001", "0826-***-001, 037-***-001, 089-***-001"),
        ("07012345678, 070-1234-5678, +886 70 1234 5678", "070-***-678, 070-***-678, 070-***-678"),
        ("0836-2201, 0826-6601", "0836-2201, 0826-6601"),  # order numbers
        (r"said\n0912345678\t0223456789\r+886912345678", r"said\n0912-***-678\t02-***-789\r0912-***-678"),
        ("4821-7736 on 2026-11-23 09:12:34.567890", "4821-7736 on 2026-11-23 09:12:34.567890"),
        ("0821-7736, 0234-5678, order 8217736", "0821-7736, 0234-5678, order 8217736"),
        ("2026-08-23 02:22:33.0223456789 0.0912345678", "2026-08-23 02:22:33.0223456789 0.0912345678"),
        ("20261122 127.0.0.1:8000 08/11/2026 02.11.2026", "20261122 127.0.0.1:8000 08/11/2026 02.11.2026"),
        (
            "0223456789abcdef 02345678-1234-5678-9012-1234567890ab",
            "0223456789abcdef 02345678-1234-5678-9012-1234567890ab",
        ),
        ("id=1764223456789, NT$ 20912345678, 12-0912345678", "id=1764223456789, NT$ 20912345678, 12-0912345678"),
        ("a0912345678b091234567890", "a0912345678b091234567890"),
    ],
)
def test_telephone_numbers_in_text_are_masked(text: str, shown: str) -> None:
    assert mask_numbers(text) == shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("瓦" * 70, 1),
        ("瓦" * 71, 2),
        ("瓦" * 134, 2),
        ("瓦" * 135, 3),
        ("瓦" * 201, 3),
        ("瓦" + "a" * 69, 1),
        ("瓦" + "a" * 70, 2),
        ("🔥" * 35, 1),
        ("🔥" * 36, 2),
    ],
)
def test_segments_are_counted(text: str, expected: int) -> None:
    assert carrier_rules.segments(text) == expected


def test_escaped_character_is_not_split() -> None:
    # “€” takes two units. Both times 152 of a part's 153 units are taken, so it begins the next part.
    assert carrier_rules.segments(("a" * 152 + "€") + ("a" * 150 + "€") + "a") == 3


def test_emoji_is_not_split() -> None:
    # A part of 67 units holds 33 emoji, and one unit stays empty.
    assert carrier_rules.segments("🔥" * 66) == 2
    assert carrier_rules.segments("🔥" * 67) == 3
