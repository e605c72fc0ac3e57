from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from web.text import normalize_typed, remove_invisible, remove_invisible_from_form, remove_invisible_from_json

# Zero-width space and joiners, direction marks, a byte order mark, a soft hyphen, variation selectors, a tag, a
# combining joiner, an object replacement character, and controls.
MARKS = "\u200b\u200c\u200d\u2060\u200e\u200f\u202a\u202c\u2066\u2069\ufeff\u00ad"
MARKS += "\ufe0f\ufe0e\U000e0100\U000e0041\u034f\ufffc\x07\x1b\x7f\x9b"
BLANKS = "\u3164\u2800\uffa0\u115f\u1160"


@pytest.mark.parametrize("mark", MARKS)
def test_invisible_character_is_removed(mark: str) -> None:
    assert remove_invisible(f"{mark}王{mark}小明{mark}") == "王小明"


@pytest.mark.parametrize("blank", BLANKS)
def test_blank_letter_becomes_a_space(blank: str) -> None:
    assert remove_invisible(f"王{blank}小明") == "王 小明"
    assert remove_invisible(blank * 3).strip() == ""


@given(st.text())
def test_all_characters_of_category_cf_and_no_letters_are_removed(text: str) -> None:
    left = remove_invisible(text)
    assert not [character for character in left if unicodedata.category(character) == "Cf"]
    assert remove_invisible(left) == left
    assert "".join(c for c in left if c.isalnum()) == "".join(c for c in text if c.isalnum() and c not in BLANKS)


@pytest.mark.parametrize("text", ["王小明 2 桶\n急，\t請打電話", "é 堃 𠮷 😀 ㊣ ﾌﾟ", "\0", ""])
def test_visible_text_is_unchanged(text: str) -> None:
    assert remove_invisible(text) == text


def test_family_emoji_becomes_its_members() -> None:
    assert remove_invisible("👨\u200d👩\u200d👧") == "👨👩👧"


def test_normalize_typed_converts_dashes_and_full_width_digits() -> None:
    assert {normalize_typed(f"４{dash}５ ") for dash in "-‐‑‒–—―−－ー"} == {"4-5"}


def test_invisible_characters_are_removed_at_every_depth_of_json() -> None:
    assert remove_invisible_from_json({"a": ["x\u200b", {"b": "\ufeffy"}], "c": 1, "d": None}) == {
        "a": ["x", {"b": "y"}], "c": 1, "d": None,
    }  # fmt: skip
    assert remove_invisible_from_json("z\u200e") == "z"


def test_deeply_nested_json_is_accepted() -> None:
    deep: Any = "x\u200b"
    for _ in range(5000):
        deep = [deep]
    found = remove_invisible_from_json(deep)
    while isinstance(found, list):
        found = found[0]
    assert found == "x"


def test_invisible_characters_are_removed_from_each_value_of_a_form() -> None:
    form = remove_invisible_from_form(QueryDict("q=a%E2%80%8Bb&q=c&n=1"))
    assert (form.getlist("q"), form["n"]) == (["ab", "c"], "1")
    with pytest.raises(AttributeError):
        form["q"] = "x"


def test_form_without_invisible_characters_is_unchanged() -> None:
    form = QueryDict("q=1")
    assert remove_invisible_from_form(form) is form


@pytest.mark.django_db
def test_password_is_not_normalized(client: Client) -> None:
    credentials = {"username": "amy", "password": "love\u2764\ufe0f2026"}
    get_user_model().objects.create_user(**credentials, is_staff=True)
    assert client.post("/api/v1/auth/token/", credentials, content_type="application/json").status_code == 200
    assert client.post(reverse("login"), credentials).status_code == 302
