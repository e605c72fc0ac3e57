"""Every word for people is there in Traditional Chinese, and the compiled catalogue is that of the text."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from babel.messages.extract import extract
from django.utils.translation import override
from django.utils.translation.template import templatize

from luckygas.tests.test_imports import HOUSE
from orders.models.order import VersionConflict

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "locale/zh_Hant/LC_MESSAGES"
PLAIN = ("_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy")
# The first argument is a context, the second the word.
KEYWORDS = dict.fromkeys(PLAIN) | dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2))
PLACEHOLDER = re.compile(r"%\(\w+\)[ds]|%[ds]|\{\w*\}")


# Of the pages, and of what scripts say in them.
DOMAINS = ("django", "djangojs")
both = pytest.mark.parametrize("domain", DOMAINS)


def entries(domain: str) -> list[polib.POEntry]:
    return list(polib.pofile(str(CATALOGUE / f"{domain}.po")))


def texts(domain: str) -> Iterator[tuple[Path, str]]:
    """Code as it is, and templates as Django's own makemessages reads them."""
    for app in HOUSE:
        for path in (ROOT / app).rglob("*.js" if domain == "djangojs" else "*.py"):
            if "tests" not in path.relative_to(ROOT).parts:
                yield path, path.read_text()
    if domain == "djangojs":
        return
    for path in (*(ROOT / "templates").rglob("*"), *(ROOT / "luckygas").rglob("templates/*")):
        if path.suffix in {".html", ".txt"}:
            # It is not quite Python: its indentation means nothing.
            yield path, "\n".join(map(str.strip, templatize(path.read_text()).splitlines()))


def words(domain: str) -> Iterator[tuple[Path, str]]:
    language = "javascript" if domain == "djangojs" else "python"
    for path, text in texts(domain):
        # The first of singular and plural names the entry.
        for _line, found, *_rest in extract(language, io.BytesIO(text.encode()), keywords=KEYWORDS):
            yield path, found[0] if isinstance(found, tuple) else found


@both
def test_nothing_is_left_untranslated(domain: str) -> None:
    assert len(entries(domain)) > 5
    assert [entry.msgid for entry in entries(domain) if not entry.translated() or entry.obsolete] == []


@both
def test_every_word_of_the_code_is_in_the_catalogue(domain: str) -> None:
    known, found = {entry.msgid for entry in entries(domain)}, list(words(domain))
    assert len(found) > 5
    assert {str(path): word for path, word in found if word and word not in known} == {}


def test_no_function_has_a_name_by_which_its_words_are_not_found() -> None:
    alias = re.compile(r"gettext\w* as (?!_$)\w+", re.MULTILINE)
    assert [str(path) for path, text in texts("django") if alias.search(text)] == []


@both
def test_no_entry_is_left_that_nothing_says(domain: str) -> None:
    said = {word for _, word in words(domain)}
    assert [entry.msgid for entry in entries(domain) if entry.msgid not in said] == []


@both
def test_placeholders_survive_translation(domain: str) -> None:
    for entry in entries(domain):
        for translated in [entry.msgstr, *entry.msgstr_plural.values()]:
            if translated:
                assert sorted(PLACEHOLDER.findall(translated)) == sorted(PLACEHOLDER.findall(entry.msgid)), entry.msgid


@both
def test_the_compiled_catalogue_is_that_of_the_text(domain: str) -> None:
    compiled = {e.msgid: (e.msgstr, e.msgstr_plural) for e in polib.mofile(str(CATALOGUE / f"{domain}.mo"))}
    assert compiled == {e.msgid: (e.msgstr, e.msgstr_plural) for e in entries(domain)}


def test_words_come_in_the_readers_language() -> None:
    said = {}
    for language in ("zh-hant", "en"):
        with override(language):
            said[language] = str(VersionConflict(7))
    assert "目前版本為 7" in said["zh-hant"]
    assert "version is now 7" in said["en"]
