from __future__ import annotations

import pytest

from notifications.masking import mask, mask_numbers


@pytest.mark.parametrize(
    ("recipient", "shown"),
    [
        ("+886912345678", "0912-***-678"),
        ("wang@example.org", "w***@example.org"),
        ('"a@b"@c.tw', '"***@c.tw'),
        ("", ""),
    ],
)
def test_mask(recipient: str, shown: str) -> None:
    assert mask(recipient) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0912345678", "0912-***-678"),
        ("call 0912-345-678, then 0987 654 321.", "call 0912-***-678, then 0987-***-321."),
        ("to=%2B886912345678&x", "to=0912-***-678&x"),
        ("886-912-345-678", "0912-***-678"),
        ("電話+88622930016;ext=29", "電話02-***-016;ext=29"),
        ("4821-7736 on 2026-11-23 09:12:34.567890", "4821-7736 on 2026-11-23 09:12:34.567890"),
        ("a0912345678b091234567890", "a0912345678b091234567890"),
    ],
)
def test_mask_numbers(text: str, shown: str) -> None:
    assert mask_numbers(text) == shown
