"""Parsers of request bodies. They remove invisible characters; JSON must be strict and storable in the database."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError
from rest_framework.renderers import JSONRenderer

from web.api.exceptions import TooLarge
from web.text import remove_invisible_from_form, remove_invisible_from_json


def max_body_bytes() -> int:
    return settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0


class StrictJSONParser(parsers.BaseParser):
    """JSON as in RFC 8259: refuses NaN and Infinity. Also refuses numbers that are too large, NUL and lone surrogates.

    Raises ParseError, or TooLarge for more than `max_body_bytes()`.

    Not a subclass of DRF's JSONParser, because DRF reads the whole body before it calls that class.
    """

    media_type = "application/json"
    renderer_class = JSONRenderer

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(max_body_bytes() + 1)
        if len(body) > max_body_bytes():
            raise TooLarge
        try:
            found = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body cannot be read as JSON in UTF-8: %s") % str(error)[:200]) from error
        _refuse_unstorable(found)
        return remove_invisible_from_json(found)


class FormParser(parsers.FormParser):
    def parse(self, *args: Any, **kwargs: Any) -> Any:
        return remove_invisible_from_form(super().parse(*args, **kwargs))


class MultiPartParser(parsers.MultiPartParser):
    def parse(self, *args: Any, **kwargs: Any) -> Any:
        found = super().parse(*args, **kwargs)
        return parsers.DataAndFiles(remove_invisible_from_form(found.data), found.files)


def _no_constant(name: str) -> None:
    raise ValueError(f"RFC 8259 does not allow {name}")


def _refuse_unstorable(found: Any) -> None:
    waiting = [found]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and unstorable(value):
            raise ParseError(_("The body contains a NUL or a broken surrogate pair. Please remove it."))
        elif isinstance(value, float) and not math.isfinite(value):
            raise ParseError(_("The body contains a number that is too large. Please correct it."))


def unstorable(text: str) -> bool:
    """Whether the text contains a character that PostgreSQL or UTF-8 cannot store."""
    return "\0" in text or (not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text))
