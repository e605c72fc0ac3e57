"""Which charset a form is in: its Content-Type may name any codec that Python has."""

from __future__ import annotations

from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.utils.http import parse_header_parameters


class Request(ASGIRequest):
    """Django's, but text counts as UTF-8 where `charset` is a codec that is no charset, as `hex`."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        content_type, parameters = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        if not is_charset(parameters.get("charset", "utf-8")):
            meta = meta | {"CONTENT_TYPE": content_type}
        super()._set_content_type_params(meta)  # type: ignore[misc]  # not in the stubs


def is_charset(name: str) -> bool:
    """Whether any bytes can be read so, with marks for those that mean nothing."""
    try:
        bytes(range(256)).decode(name, "replace")
    except (LookupError, ValueError):
        return False
    return True
