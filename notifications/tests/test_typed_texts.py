from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation

from notifications import texts
from notifications.models import MessageTemplate
from notifications.states import Kind
from notifications.texts import Preview


def problems(body: str, kind: Kind = Kind.ORDER_DELIVERED) -> list[str]:
    with translation.override("en"):
        return Preview(kind, "zh-hant", body).problems


@pytest.mark.parametrize("language", texts.TEXTS)
@pytest.mark.parametrize("kind", Kind)
def test_the_default_texts_are_sound(kind: Kind, language: str) -> None:
    assert Preview(kind, language, texts.TEXTS[language][kind]).problems == []


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("{nobody}", "“{nobody}” is no placeholder; there are: {order_number}, {scheduled_date}, {tracking_url}."),
        ("{order_number.__class__}", "“{order_number.__class__}” is no placeholder"),
        ("{order_number!r:>9}", "“{order_number!r:>9}” is no placeholder"),
        ("{0}", "“{0}” is no placeholder"),
        ("{order_number", "“{order_number” is no placeholder"),
        ("order_number}", "“}” is no placeholder"),
        ("{{order_number}}", "“{” is no placeholder"),
        ("{eta}", "“{eta}” is no placeholder"),
        ("請電 0912-345-678", "“0912-345-678” reads as a telephone number"),
        ("https://bit.ly/x", "“bit.ly” is no registered link"),
        ("【幸福氣】已送達", "Leave out the name in 【】"),
        ("瓦" * 197, "At its longest it takes 4 segments; 3 at most."),
    ],
)
def test_what_is_wrong_is_said(body: str, named: str) -> None:
    assert problems(body)[0].startswith(named)


def test_the_hour_may_be_named_once_the_driver_has_left() -> None:
    assert problems("{eta}", Kind.DRIVER_ON_THE_WAY) == []


def test_it_is_counted_at_its_longest(settings: Any) -> None:
    settings.TRACKING_URL = "https://lg.tw/t/"
    found = Preview(Kind.ORDER_DELIVERED, "zh-hant", "{order_number} {scheduled_date}\r\n{tracking_url}")
    assert found.text == "【幸福氣】0000-0000 12/31 上午\nhttps://lg.tw/t/xxxxxxxxxxxx"
    with translation.override("en"):
        assert found.cost == f"{len(found.text)} characters at the longest: 1 segment, 1 point"


def test_a_text_with_a_fault_is_refused_at_its_field() -> None:
    with pytest.raises(ValidationError) as refused:
        MessageTemplate(kind=Kind.ORDER_DELIVERED, body_en="{nobody}").clean()
    assert set(refused.value.message_dict) == {"body_en"}


def test_line_ends_of_a_browser_count_once() -> None:
    row = MessageTemplate(kind=Kind.ORDER_DELIVERED, body_zh=" a\r\nb ")
    row.clean()
    assert row.body_zh == "a\nb"
