"""CSV files that Excel opens correctly, with formulas made harmless."""

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
# Without a byte order mark Excel reads UTF-8 as the machine's code page.
MARK = "\ufeff"
# A cell that starts with one of these is a formula to a spreadsheet.
FORMULA = ("=", "+", "-", "@")
CONTENT_TYPE = "text/csv; charset=utf-8"


def headers(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def answer(lines: Iterable[list[Any]], name: str) -> HttpResponse:
    """A short file in one response."""
    return HttpResponse("".join(written(iter(lines))), content_type=CONTENT_TYPE, headers=headers(name))


def stream(request: HttpRequest, lines: Iterable[list[Any]], name: str) -> StreamingHttpResponse:
    """A long file, streamed while `lines` are read.

    The request's language is no longer active by then: translate before the call.
    """
    pieces = written(iter(lines))
    # ASGI streams an async iterator and WSGI a plain one. Each would first collect the other kind whole.
    streamed = pulled(pieces) if isinstance(request, ASGIRequest) else pieces
    return StreamingHttpResponse(streamed, content_type=CONTENT_TYPE, headers=headers(name))


async def pulled(pieces: Iterator[str]) -> AsyncIterator[str]:
    while piece := await sync_to_async(lambda: next(pieces, ""))():
        yield piece


def written(lines: Iterator[list[Any]]) -> Iterator[str]:
    """The text of the file in pieces of AT_ONCE lines."""
    mark = MARK
    while some := list(islice(lines, AT_ONCE)):
        text = io.StringIO()
        csv.writer(text).writerows([harmless(cell) for cell in line] for line in some)
        yield mark + text.getvalue()
        mark = ""


def harmless(cell: Any) -> str:
    """The cell's text, with `'` in front if a spreadsheet would run it as a formula."""
    text = "" if cell is None else str(cell)
    begins = unicodedata.normalize("NFKC", text).lstrip()
    return f"'{text}" if begins.startswith(FORMULA) else text
