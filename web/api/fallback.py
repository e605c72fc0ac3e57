"""Answers that no view gives: unknown paths under `/api/`, and what fails before a view is reached or in a page."""

from __future__ import annotations

import sys
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from drf_standardized_errors.types import ExceptionHandlerContext
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from web import request_id
from web.api.errors import Formatter
from web.api.exceptions import Broken, Busy, NotDone, for_now

API = "/api/"


def answer(exc: APIException) -> JsonResponse:
    """An error in the one shape, outside of DRF."""
    context: ExceptionHandlerContext = {"view": APIView(), "args": (), "kwargs": {}, "request": None}
    headers = {"Retry-After": str(wait)} if (wait := getattr(exc, "wait", None)) else {}
    return JsonResponse(Formatter(exc, context, exc).run(), status=exc.status_code, headers=headers)


class UnknownPath(APIView):
    """The last route under `/api/`."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound(_("There is no such path. Mind the slash at the end; see /api/v1/docs/."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler400`. The name that the site was called by may be what is wrong: nothing here asks for it."""
    if request.path_info.startswith(API):
        return answer(ParseError())
    return HttpResponse(render_to_string("400.html", {"number": request_id.current()}), status=400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler404`."""
    if request.path_info.startswith(API):
        return answer(NotFound())
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`. 503 where the database is what failed: its pages are made without it, and without who asks."""
    problem = for_now(sys.exc_info()[1]) or Broken()
    if request.path_info.startswith(API):
        return answer(problem)
    if isinstance(problem, Busy):
        # What was not done at all needs no second look.
        undone = problem.detail if isinstance(problem, NotDone) else ""
        page = render_to_string("503.html", {"undone": undone})
        return HttpResponse(page, status=503, headers={"Retry-After": str(problem.wait)})
    return HttpResponse(render_to_string("500.html", {"number": request_id.current()}), status=500)
