"""Errors in the one shape of the API: `{"type", "errors": [{"code", "detail", "attr"}]}`; and the answers that no view
gives: unknown paths under `/api/`, and what fails before a view is reached or in a page.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import DataError, IntegrityError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import (
    CLIENT_ERROR,
    SERVER_ERROR,
    VALIDATION_ERROR,
    Error,
    ErrorType,
    ExceptionHandlerContext,
)
from rest_framework import exceptions, serializers
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from web import request_id, throttling
from web.api.exceptions import Broken, Busy, Conflict, Impossible, NotDone, Refused, TooLarge, TooMany, for_now
from web.refusals import Refusal

logger = logging.getLogger(__name__)

# A body of a thousand wrong values is not answered with a thousand errors.
MOST_ERRORS = 50
NON_FIELD = "non_field_errors"


class Handler(ExceptionHandler):
    """Translates what is not DRF's own; the rest is drf-standardized-errors."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        match exc:
            case Refusal():
                return Refused(exc)
            case RequestDataTooBig():
                return TooLarge()
            case SuspiciousOperation():
                return exceptions.ParseError()
            case ModelValidationError():
                return exceptions.ValidationError(serializers.as_serializer_error(exc))
            case exceptions.Throttled():
                return TooMany(getattr(exc, "wait", None))
            case exceptions.AuthenticationFailed(detail=dict()):
                return self._wrong_token() or _plain_token_error(exc)
            case DataError() | OverflowError() | IntegrityError():
                logger.warning("Refused by the database, not by a check of ours.", exc_info=exc)
                return Conflict() if isinstance(exc, IntegrityError) else Impossible()
        return for_now(exc) or super().convert_known_exceptions(exc)

    def _wrong_token(self) -> TooMany | None:
        """Of who tries one token after the other: also a wrong monitoring token ends here."""
        request = self.context["request"]
        wait = throttling.wait_of("wrong_secret", request._request) if request is not None else None
        return TooMany(wait) if wait is not None else None

    def convert_unhandled_exceptions(self, exc: Exception) -> exceptions.APIException:
        return exc if isinstance(exc, exceptions.APIException) else Broken()

    def report_exception(self, exc: exceptions.APIException, response: Response) -> None:
        """The log is for us: Django escapes there what the caller was told in Chinese, so it has the code."""
        if isinstance(exc, NotDone):
            return  # no fault of ours, and perhaps sixty a second; its line in the log of requests has the 503
        exc.detail = str(exc.get_codes())  # type: ignore[assignment]  # nobody else reads it any more
        super().report_exception(exc, response)

    def get_headers(self, exc: exceptions.APIException) -> dict[str, str]:
        headers: dict[str, str] = super().get_headers(exc)
        if (version := getattr(exc, "version", None)) is not None:
            headers["ETag"] = etag(version)
        return headers


def _plain_token_error(exc: exceptions.AuthenticationFailed) -> exceptions.AuthenticationFailed:
    """simplejwt answers a wrong token with a dictionary of its findings; the reader needs one sentence."""
    code = str(exc.detail.get("code", exc.default_code)) if isinstance(exc.detail, dict) else exc.default_code
    exc.detail = exceptions.ErrorDetail(_("The token is wrong or has expired. Please sign in again."), code)
    return exc


class Formatter(ExceptionFormatter):
    """Refusals keep the field they are about; long lists of errors are cut."""

    def get_error_type(self) -> ErrorType:
        if isinstance(self.exc, Refused) and self.exc.status_code == 400:
            return VALIDATION_ERROR
        return super().get_error_type()

    def get_errors(self) -> list[Error]:
        found: list[Error] = super().get_errors()[:MOST_ERRORS]
        for error in found:
            error.attr = _field(error.attr)
        if isinstance(self.exc, Refused):
            found[0].attr = self.exc.attr
        return found


def _field(attr: str | None) -> str | None:
    """The field, where the error is about all of it: `items.non_field_errors` is about `items`."""
    return (f".{attr}".removesuffix(f".{NON_FIELD}").removeprefix(".") or None) if attr else None


def etag(version: int) -> str:
    """The version of an order as the header says it."""
    return f'"{version}"'


ERROR_TYPES = (CLIENT_ERROR, VALIDATION_ERROR, SERVER_ERROR)


class ErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="Stable, for programs.")
    detail = serializers.CharField(help_text="For people, in the caller's language.")
    attr = serializers.CharField(allow_null=True, help_text="The field it is about.")


class ErrorResponse(serializers.Serializer[Any]):
    """Every error, 400 to 503."""

    type = serializers.ChoiceField(ERROR_TYPES)
    errors = ErrorSerializer(many=True)  # type: ignore[assignment]


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
        raise NotFound(_("There is no such path. Check the slash at the end. See /api/v1/docs/."))


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
