"""Text as people see it: without the marks that come along when something is copied from a chat, a PDF or a sheet.

Dropped wherever text comes in: a name with a zero-width space is another name to a database, and a date with a
direction mark is no date. What joins the parts of an emoji is such a mark too: a family becomes its members.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from django.http import QueryDict

# Unicode 16, Default_Ignorable_Code_Point, as far as it is not of category Cf: joiners, variation selectors (a
# character of a name that stands before one stays), and the places kept free for more of them.
IGNORABLE = "\u034f\u17b4\u17b5\u180b-\u180f\u2065\ufe00-\ufe0f\ufff0-\ufff8\U000e0000-\U000e0fff"
# Stands for an object that was not copied with the text.
OBJECT = "\ufffc"
# As wide as a letter and empty: the fillers of Hangul, the empty Braille pattern, a note without a head; and what ends
# a line or a page where neither is meant.
BLANK = re.compile("[\u115f\u1160\u3164\uffa0\u2800\U0001d159\x0b\x0c\x1c-\x1f\x85]")
# NUL is left in, to be refused: it is never part of a text.
KEPT_CONTROLS = "\0\t\n\r"
# Above these two planes only the tags are of category Cf, and they are among IGNORABLE.
LOOKED_AT = range(0x20000)


def _of_category(*categories: str) -> str:
    return "".join(character for character in map(chr, LOOKED_AT) if unicodedata.category(character) in categories)


MARKS = re.escape("".join(character for character in _of_category("Cc", "Cf") if character not in KEPT_CONTROLS))
INVISIBLE = re.compile(f"[{MARKS}{IGNORABLE}{OBJECT}]+")


def visible(text: str) -> str:
    """`text` without characters of category Cf, variation selectors and other invisible ones; blank letters are spaces.

    Where nothing else was in it, what is left is empty or white space.
    """
    if text.isascii() and text.isprintable():
        return text
    return INVISIBLE.sub("", BLANK.sub(" ", text))


def plain(text: str) -> str:
    """For understanding what was typed: visible, of half width, with `-` for every dash, without blanks around."""
    return re.sub(r"[\u2010-\u2015\u2212\u30fc\ufe58]", "-", unicodedata.normalize("NFKC", visible(text))).strip()


def is_secret(name: object) -> bool:
    """Whether what has this name is a password: never shown, and compared as it was typed when it was chosen."""
    return isinstance(name, str) and "password" in name


def visible_json(found: Any) -> Any:
    """What a JSON text holds, each text in it visible; lists and objects are changed in place, names are not.

    Passwords stay as they are.
    """
    whole = [found]
    waiting: list[Any] = [whole]
    while waiting:
        holder = waiting.pop()
        for place, value in list(holder.items()) if isinstance(holder, dict) else enumerate(holder):
            if isinstance(value, str):
                holder[place] = value if is_secret(place) else visible(value)
            elif isinstance(value, (dict, list)):
                waiting.append(value)
    return whole[0]


def visible_form(form: QueryDict) -> QueryDict:
    """A form or the parameters of an address, each value visible but passwords."""
    shown = {name: [visible(value) for value in values] for name, values in form.lists() if not is_secret(name)}
    if all(values == form.getlist(name) for name, values in shown.items()):
        return form
    cleaned = form.copy()
    for name, values in shown.items():
        cleaned.setlist(name, values)
    cleaned._mutable = False  # as every form of a request
    return cleaned
