"""Answers under `/api/` that no view gives: unknown paths, and what fails before a view is reached."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _
from django.views import defaults
from drf_standardized_errors.types import ExceptionHandlerContext
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from orders.api.errors import Formatter
from orders.api.exceptions import Broken

API = "/api/"


def answer(exc: APIException) -> JsonResponse:
    """An error in the one shape, outside of DRF."""
    context: ExceptionHandlerContext = {"view": APIView(), "args": (), "kwargs": {}, "request": None}
    return JsonResponse(Formatter(exc, context, exc).run(), status=exc.status_code)


class UnknownPath(APIView):
    """The last route under `/api/`."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound(_("There is no such path. Mind the slash at the end; see /api/v1/docs/."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler400`."""
    api = request.path_info.startswith(API)
    return answer(ParseError()) if api else defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`."""
    return answer(Broken()) if request.path_info.startswith(API) else defaults.server_error(request)
