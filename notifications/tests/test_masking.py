from __future__ import annotations

import pytest

from notifications.masking import mask


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
