from __future__ import annotations

from pathlib import Path

import rest_framework

from orders.api.words import WORDS


def test_the_framework_still_says_these_words() -> None:
    root = Path(rest_framework.__file__).parent
    source = "".join(path.read_text() for path in root.glob("*.py"))
    assert [text for text in WORDS if text not in source] == []
