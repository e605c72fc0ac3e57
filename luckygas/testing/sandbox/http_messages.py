"""HTTP requests to the sandbox, and its responses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

TEXT = "text/plain; charset=utf-8"
# The maximum number of fields in a query and in a body; more than any provider's form has.
MAX_FIELDS = 100


@dataclass(frozen=True, slots=True)
class Request:
    """A request with its whole body."""

    query: str
    headers: Message
    body: bytes

    def form(self, encoding: str = "utf-8") -> dict[str, str]:
        """Returns the fields of the query and of the body; the body's take precedence. Raises ValueError."""
        fields: dict[str, str] = {}
        for text in (self.query, self.body.decode("latin-1")):
            pairs = parse_qsl(text, keep_blank_values=True, encoding=encoding, max_num_fields=MAX_FIELDS)
            fields.update(pairs)
        return fields

    def json(self) -> dict[str, Any]:
        """Parses the body as a JSON object. Raises ValueError."""
        try:
            found = json.loads(self.body)
        except RecursionError:
            raise ValueError("The JSON is nested too deeply.") from None
        if not isinstance(found, dict):
            raise ValueError("Send a JSON object.")
        return found


@dataclass(frozen=True, slots=True)
class Response:
    body: bytes
    status: int = 200
    content_type: str = TEXT
    location: str = ""
