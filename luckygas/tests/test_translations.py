"""Every word for people is there in Traditional Chinese, and the compiled catalogue is that of the text."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import polib
from babel.messages.extract import extract
from django.utils.translation import override
from django.utils.translation.template import templatize

from orders.refusals import VersionConflict

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "locale/zh_Hant/LC_MESSAGES"
APPS = ("orders", "notifications", "realtime", "health", "luckygas")
KEYWORDS = ("_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy")
PLACEHOLDER = re.compile(r"%\(\w+\)[ds]|%[ds]|\{\w*\}")


def entries() -> list[polib.POEntry]:
    return list(polib.pofile(str(CATALOGUE / "django.po")))


def texts() -> Iterator[tuple[Path, str]]:
    """Python as it is, and templates as Django's own makemessages reads them."""
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if "tests" not in path.parts:
                yield path, path.read_text()
    for path in (ROOT / "templates").rglob("*"):
        if path.suffix in {".html", ".txt"}:
            # It is not quite Python: its indentation means nothing.
            yield path, "\n".join(map(str.strip, templatize(path.read_text()).splitlines()))


def words() -> Iterator[tuple[Path, str]]:
    for path, text in texts():
        # The first of singular and plural names the entry; of a context and a word, the word.
        for _line, found, *_rest in extract("python", io.BytesIO(text.encode()), keywords=dict.fromkeys(KEYWORDS)):
            yield path, found[0] if isinstance(found, tuple) else found


def test_nothing_is_left_untranslated() -> None:
    assert len(entries()) > 300
    assert [entry.msgid for entry in entries() if not entry.translated() or entry.obsolete] == []


def test_every_word_of_the_code_is_in_the_catalogue() -> None:
    known, found = {entry.msgid for entry in entries()}, list(words())
    assert len(found) > 300
    assert {str(path): word for path, word in found if word and word not in known} == {}


def test_no_entry_is_left_that_nothing_says() -> None:
    said = {word for _, word in words()}
    assert [entry.msgid for entry in entries() if entry.msgid not in said] == []


def test_placeholders_survive_translation() -> None:
    for entry in entries():
        for translated in [entry.msgstr, *entry.msgstr_plural.values()]:
            if translated:
                assert sorted(PLACEHOLDER.findall(translated)) == sorted(PLACEHOLDER.findall(entry.msgid)), entry.msgid


def test_the_compiled_catalogue_is_that_of_the_text() -> None:
    compiled = {e.msgid: (e.msgstr, e.msgstr_plural) for e in polib.mofile(str(CATALOGUE / "django.mo"))}
    assert compiled == {e.msgid: (e.msgstr, e.msgstr_plural) for e in entries()}


def test_words_come_in_the_readers_language() -> None:
    said = {}
    for language in ("zh-hant", "en"):
        with override(language):
            said[language] = str(VersionConflict(7))
    assert "目前版本為 7" in said["zh-hant"]
    assert "version is now 7" in said["en"]
