from __future__ import annotations

import io
from pathlib import Path

import pytest
import rest_framework
from babel.messages.extract import extract
from django.utils import translation

from web.api.drf_translations import WORDS

ROOT = Path(rest_framework.__file__).parent


def test_the_framework_still_says_these_words() -> None:
    source = "".join(path.read_text() for path in ROOT.glob("*.py"))
    assert [text for text in WORDS if text.replace('"', '\\"') not in source and text not in source] == []


@pytest.mark.parametrize("module", ["exceptions", "fields", "relations", "serializers", "validators"])
def test_all_that_it_says_of_a_request_is_chinese(module: str) -> None:
    source = io.BytesIO((ROOT / f"{module}.py").read_bytes())
    said = [str(text) for _line, text, *_rest in extract("python", source, keywords={"_": None})]
    with translation.override("zh-hant"):
        assert [text for text in said if translation.gettext(text) == text] == []
