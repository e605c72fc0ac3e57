"""Sheets that Excel opens as they are meant: CSV, with what would be run as a formula made harmless."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

AT_ONCE = 500
# Without it Excel reads UTF-8 as the code page of the machine.
MARK = "\ufeff"
# What a spreadsheet would run as a formula.
FORMULA = ("=", "+", "-", "@")
CONTENT_TYPE = "text/csv; charset=utf-8"


def headers(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def answer(lines: Iterable[list[Any]], name: str) -> HttpResponse:
    """A short sheet, whole."""
    return HttpResponse("".join(written(iter(lines))), content_type=CONTENT_TYPE, headers=headers(name))


def stream(request: HttpRequest, lines: Iterable[list[Any]], name: str) -> StreamingHttpResponse:
    """A long sheet, as its lines are read: when the language of who asks is gone, so words are looked up before."""
    pieces = written(iter(lines))
    # Each kind of server takes the one iterator piece by piece, and would gather the other whole.
    streamed = pulled(pieces) if isinstance(request, ASGIRequest) else pieces
    return StreamingHttpResponse(streamed, content_type=CONTENT_TYPE, headers=headers(name))


async def pulled(pieces: Iterator[str]) -> AsyncIterator[str]:
    while piece := await sync_to_async(lambda: next(pieces, ""))():
        yield piece


def written(lines: Iterator[list[Any]]) -> Iterator[str]:
    """The text of the sheet in pieces."""
    mark = MARK
    while some := list(islice(lines, AT_ONCE)):
        text = io.StringIO()
        csv.writer(text).writerows([harmless(cell) for cell in line] for line in some)
        yield mark + text.getvalue()
        mark = ""


def harmless(cell: Any) -> str:
    """A text that a spreadsheet shows and never runs."""
    text = "" if cell is None else str(cell)
    begins = unicodedata.normalize("NFKC", text).lstrip()
    return f"'{text}" if begins.startswith(FORMULA) else text
