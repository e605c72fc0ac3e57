"""CSV files that Excel opens correctly and in which no cell is a formula."""

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

# The number of lines that are written and sent together.
LINES_PER_PIECE = 500
# Without a byte order mark, Excel decodes a UTF-8 file with the code page of the computer.
BYTE_ORDER_MARK = "\ufeff"
# A spreadsheet runs a cell that starts with one of these as a formula.
FORMULA_STARTS = ("=", "+", "-", "@")
CONTENT_TYPE = "text/csv; charset=utf-8"


def headers(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def csv_response(lines: Iterable[list[Any]], name: str) -> HttpResponse:
    """A response with a short file, which is built in memory."""
    return HttpResponse("".join(_text_pieces(iter(lines))), content_type=CONTENT_TYPE, headers=headers(name))


def stream(request: HttpRequest, lines: Iterable[list[Any]], name: str) -> StreamingHttpResponse:
    """A response with a long file, which is sent while `lines` are read.

    The request's language is no longer active while they are read, so translate texts before the call.
    """
    pieces = _text_pieces(iter(lines))
    # ASGI streams an async iterator and WSGI a plain one. Either would read the other kind to its end before it sends.
    streamed = _async_pieces(pieces) if isinstance(request, ASGIRequest) else pieces
    return StreamingHttpResponse(streamed, content_type=CONTENT_TYPE, headers=headers(name))


async def _async_pieces(pieces: Iterator[str]) -> AsyncIterator[str]:
    while piece := await sync_to_async(lambda: next(pieces, ""))():
        yield piece


def _text_pieces(lines: Iterator[list[Any]]) -> Iterator[str]:
    """The text of the file in pieces of LINES_PER_PIECE lines."""
    mark = BYTE_ORDER_MARK
    while piece := list(islice(lines, LINES_PER_PIECE)):
        text = io.StringIO()
        csv.writer(text).writerows([escape_formula(cell) for cell in line] for line in piece)
        yield mark + text.getvalue()
        mark = ""


def escape_formula(cell: Any) -> str:
    """The cell's text, with `'` in front if a spreadsheet would run it as a formula."""
    text = "" if cell is None else str(cell)
    normalized = unicodedata.normalize("NFKC", text).lstrip()
    return f"'{text}" if normalized.startswith(FORMULA_STARTS) else text
