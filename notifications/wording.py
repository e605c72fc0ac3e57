"""What the office types as the text of a message: what is wrong with it, and what it costs at its longest."""

from __future__ import annotations

import re
from functools import cached_property

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifications import guard, messages, segments

BRACES = re.compile(r"\{[^{}]{0,40}\}?|\}")


def tidy(body: str) -> str:
    """As it is counted and sent: a browser's line ends are two characters."""
    return body.replace("\r\n", "\n").strip()


class Preview:
    """A text as the customer would read it, every placeholder at its longest."""

    def __init__(self, kind: str, language: str, body: str) -> None:
        self.body, self.allowed = tidy(body), messages.allowed(kind)
        self.text = messages.prefix() + messages.fill(self.body, messages.longest(language))
        # EVERY8D's table: a point a segment.
        self.segments = segments.count(self.text)

    @cached_property
    def problems(self) -> list[str]:
        """Why it cannot be saved, in the reader's language; empty where it can."""
        found = self.unknown()
        if "【" in self.body or "】" in self.body:
            found.append(_("Leave out the name in 【】: the registered one is put in front by itself."))
        literal = messages.PLACEHOLDER.sub(" ", self.body)
        number = _("“%s” reads as a telephone number; the carriers block those.")
        link = _("“%s” is no registered link; the carriers block others.")
        found += [number % said for said in guard.telephones(literal)]
        found += [link % host[:80] for host in guard.foreign_links(literal) + guard.foreign_links(self.text)]
        if self.segments > guard.MOST_SEGMENTS:
            words = {"segments": self.segments, "most": guard.MOST_SEGMENTS}
            found.append(_("At its longest it takes %(segments)d segments; %(most)d at most.") % words)
        return list(dict.fromkeys(found))

    def unknown(self) -> list[str]:
        """Complaints about braces that are no placeholder of this kind."""
        known = [f"{{{name}}}" for name in self.allowed]
        wrong = [said for said in BRACES.findall(self.body) if said not in known]
        detail = _("“%(said)s” is no placeholder; there are: %(known)s.")
        return [detail % {"said": said, "known": ", ".join(known)} for said in wrong]

    @property
    def cost(self) -> str:
        """What one message costs at the most, in words."""
        words = {"segments": self.segments, "letters": len(self.text)}
        return ngettext(
            "%(letters)d characters at the longest: %(segments)d segment, %(segments)d point",
            "%(letters)d characters at the longest: %(segments)d segments, %(segments)d points",
            self.segments,
        ) % words  # fmt: skip
