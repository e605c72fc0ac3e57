"""Removes invisible characters, which texts copied from a chat, a PDF or a spreadsheet often contain.

They are removed from all input except passwords. Otherwise a database would treat a name with a zero-width space as a
different name, and a date with a direction mark would be invalid. Zero-width joiners are removed too, so a family emoji
is split into single persons.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from django.http import QueryDict

# Unicode 16: Default_Ignorable_Code_Point without category Cf. These are joiners, variation selectors (the character in
# front of a selector stays), and code points reserved for more such characters.
IGNORABLE = "\u034f\u17b4\u17b5\u180b-\u180f\u2065\ufe00-\ufe0f\ufff0-\ufff8\U000e0000-\U000e0fff"
# The object replacement character: an image or other object that was not copied with the text.
OBJECT = "\ufffc"
# Blank letters: the fillers of Hangul, the empty Braille pattern, a musical note without a head. Also the control
# characters that end a line, a page or a record.
BLANK = re.compile("[\u115f\u1160\u3164\uffa0\u2800\U0001d159\x0b\x0c\x1c-\x1f\x85]")
# Tabs and line ends stay. NUL stays too, so that later checks refuse the text.
KEPT_CONTROLS = "\0\t\n\r"
# The code points that are searched for category Cf. In higher planes only the tags have it, and IGNORABLE has the tags.
TWO_PLANES = range(0x20000)


def _of_category(*categories: str) -> str:
    return "".join(character for character in map(chr, TWO_PLANES) if unicodedata.category(character) in categories)


MARKS = re.escape("".join(character for character in _of_category("Cc", "Cf") if character not in KEPT_CONTROLS))
INVISIBLE = re.compile(f"[{MARKS}{IGNORABLE}{OBJECT}]+")


def remove_invisible(text: str) -> str:
    """`text` without invisible characters, and with spaces for blank letters.

    The result is empty or white space if the text has only such characters.
    """
    if text.isascii() and text.isprintable():
        return text
    return INVISIBLE.sub("", BLANK.sub(" ", text))


def normalize_typed(text: str) -> str:
    """Normalizes typed text for parsing: half-width (NFKC), `-` for every dash, no invisible characters, stripped."""
    return re.sub(
        r"[\u2010-\u2015\u2212\u30fc\ufe58]", "-", unicodedata.normalize("NFKC", remove_invisible(text))
    ).strip()


def is_password(name: object) -> bool:
    """Whether a field of this name holds a password, whose characters must not be changed."""
    return isinstance(name, str) and "password" in name


def remove_invisible_from_json(found: Any) -> Any:
    """Applies `remove_invisible` to every text of a parsed JSON value, except to keys and passwords.

    Changes lists and objects in place.
    """
    whole = [found]
    waiting: list[Any] = [whole]
    while waiting:
        holder = waiting.pop()
        for place, value in list(holder.items()) if isinstance(holder, dict) else enumerate(holder):
            if isinstance(value, str):
                holder[place] = value if is_password(place) else remove_invisible(value)
            elif isinstance(value, (dict, list)):
                waiting.append(value)
    return whole[0]


def remove_invisible_from_form(form: QueryDict) -> QueryDict:
    """Applies `remove_invisible` to every value of a form or query string, except to passwords."""
    shown = {
        name: [remove_invisible(value) for value in values] for name, values in form.lists() if not is_password(name)
    }
    if all(values == form.getlist(name) for name, values in shown.items()):
        return form
    cleaned = form.copy()
    for name, values in shown.items():
        cleaned.setlist(name, values)
    cleaned._mutable = False  # like Django's own request.POST
    return cleaned
