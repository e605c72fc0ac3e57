"""Django under ASGI, with one journey between the event loop and a request's thread instead of a dozen.

And with threads that are kept: Django starts one for each request and another to wait for its end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponseBase
from servestatic.middleware import ServeStaticMiddleware

from web.charsets import Request

# Threads that wait for the next request; more than these are as many as requests came at once, and end with them.
MOST_IDLE = 20


class RequestThread(ThreadPoolExecutor):
    """One thread, which does the parts of one request after the other."""

    def __init__(self) -> None:
        super().__init__(max_workers=1, thread_name_prefix="request")
        self._parts: list[Future[Any]] = []

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        part: Future[Any] = super().submit(*args, **kwargs)
        # Not the last alone: what waits behind a view may be cancelled, and the view works on.
        self._parts = [*(other for other in self._parts if not other.done()), part]
        return part

    @property
    def is_idle(self) -> bool:
        """Not while a view works on for a client that hung up."""
        return all(part.done() for part in self._parts)


class Handler(ASGIHandler):
    """All of our middleware and views are synchronous. Django would go to the thread and come back for each middleware
    that could be asynchronous as well, 0.4 ms of a request's 2 to 10; here the thread does all of a request at once.

    Static files are answered before it: nothing of what stands around a page is for them.
    """

    request_class = Request

    def __init__(self) -> None:
        super().__init__()
        self._idle: list[RequestThread] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        thread = self._idle.pop() if self._idle else RequestThread()
        try:
            async with ThreadSensitiveContext(executor=thread):
                await super().__call__(scope, receive, send)
        finally:
            if thread.is_idle and len(self._idle) < MOST_IDLE:
                self._idle.append(thread)
            else:
                thread.shutdown(wait=False)

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)
        in_thread = sync_to_async(self.get_response)
        static_or_thread: Any = convert_exception_to_response(ServeStaticMiddleware(in_thread))
        self._answer: Callable[[HttpRequest], Awaitable[HttpResponseBase]] = static_or_thread

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await self._answer(request)
