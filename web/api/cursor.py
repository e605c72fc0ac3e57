"""The headers `Last-Event-Id` and `Last-Event-Epoch`: the end of the log, read before the rows of the answer.

A page loads its state, then connects with `since=` and `epoch=` these: nothing falls between. The log belongs to an app
further to the right, which provides the function that reads its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

ID, EPOCH = "Last-Event-Id", "Last-Event-Epoch"


@dataclass(frozen=True, slots=True)
class Position:
    """The end of the log: how many events, and how many changes of each kind of subject (`order`) were committed.

    `changes` is None while something that is committed is not counted yet.
    """

    seq: int
    epoch: str = ""
    changes: Mapping[str, int] | None = None


_provider: Callable[[], Position | None] | None = None


def provide(position: Callable[[], Position | None] | None) -> None:
    """Names the function that reads the end of the log; it may answer None, and then there is no header."""
    global _provider  # noqa: PLW0603  (one log a site, named once at start)
    _provider = position


def position() -> Position | None:
    return _provider() if _provider is not None else None


class LastEventId(APIView):
    """Base of the API's views: every successful GET carries the headers; so does a cursor's 410, as where to go on."""

    position: Position | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method in ("GET", "HEAD"):
            self.position = position()

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        if self.position is not None and (response.status_code < 400 or response.status_code == 410):
            response[ID], response[EPOCH] = str(self.position.seq), self.position.epoch
        return super().finalize_response(request, response, *args, **kwargs)
