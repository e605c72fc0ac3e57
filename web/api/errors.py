"""The API's error format: `{"type", "errors": [{"code", "detail", "attr"}]}`.

The module also makes the error responses outside of API views: for unknown paths under `/api/`, for failures before a
view is reached, and the error pages.
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
from web.api.exceptions import (
    Busy,
    Conflict,
    InternalError,
    NotDone,
    Refused,
    TooLarge,
    TooManyRequests,
    UnstorableValue,
    temporary_failure,
)
from web.refusals import Refusal

logger = logging.getLogger(__name__)

# The maximum number of errors in one response; further ones are left out.
MAX_ERRORS = 50
NON_FIELD = "non_field_errors"


class ApiExceptionHandler(ExceptionHandler):
    """Converts exceptions that drf-standardized-errors does not know to API exceptions."""

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
                return TooManyRequests(getattr(exc, "wait", None))
            case exceptions.AuthenticationFailed(detail=dict()):
                return self._wrong_token() or _plain_token_error(exc)
            case DataError() | OverflowError() | IntegrityError():
                logger.warning("The database refused values that our validation accepted.", exc_info=exc)
                return Conflict() if isinstance(exc, IntegrityError) else UnstorableValue()
        return temporary_failure(exc) or super().convert_known_exceptions(exc)

    def _wrong_token(self) -> TooManyRequests | None:
        """Counts a wrong API or monitoring token. Returns the 429 if the client tried too many, else None."""
        request = self.context["request"]
        wait = throttling.wait_for_request("wrong_secret", request._request) if request is not None else None
        return TooManyRequests(wait) if wait is not None else None

    def convert_unhandled_exceptions(self, exc: Exception) -> exceptions.APIException:
        return exc if isinstance(exc, exceptions.APIException) else InternalError()

    def report_exception(self, exc: exceptions.APIException, response: Response) -> None:
        """Logs the error codes and not the texts, because the log shows Chinese characters escaped."""
        if isinstance(exc, NotDone):
            return  # not a defect, and may occur sixty times a second; the request log has the 503
        exc.detail = str(exc.get_codes())  # type: ignore[assignment]  # the response is already built
        super().report_exception(exc, response)

    def get_headers(self, exc: exceptions.APIException) -> dict[str, str]:
        headers: dict[str, str] = super().get_headers(exc)
        if (version := getattr(exc, "version", None)) is not None:
            headers["ETag"] = etag(version)
        return headers


def _plain_token_error(exc: exceptions.AuthenticationFailed) -> exceptions.AuthenticationFailed:
    """Replaces simplejwt's dictionary for a wrong token with one sentence."""
    code = str(exc.detail.get("code", exc.default_code)) if isinstance(exc.detail, dict) else exc.default_code
    exc.detail = exceptions.ErrorDetail(_("The token is invalid or has expired. Please sign in again."), code)
    return exc


class Formatter(ExceptionFormatter):
    """Uses the `attr` of a `Refusal`, and lists at most MAX_ERRORS errors."""

    def get_error_type(self) -> ErrorType:
        if isinstance(self.exc, Refused) and self.exc.status_code == 400:
            return VALIDATION_ERROR
        return super().get_error_type()

    def get_errors(self) -> list[Error]:
        found: list[Error] = super().get_errors()[:MAX_ERRORS]
        for error in found:
            error.attr = _field(error.attr)
        if isinstance(self.exc, Refused):
            found[0].attr = self.exc.attr
        return found


def _field(attr: str | None) -> str | None:
    """The field without DRF's suffix for errors of a whole object: `items` for `items.non_field_errors`."""
    return (f".{attr}".removesuffix(f".{NON_FIELD}").removeprefix(".") or None) if attr else None


def etag(version: int) -> str:
    """An order's version as the value of an ETag header."""
    return f'"{version}"'


ERROR_TYPES = (CLIENT_ERROR, VALIDATION_ERROR, SERVER_ERROR)


class ErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="A stable code for programs.")
    detail = serializers.CharField(help_text="A sentence for people, in the caller's language.")
    attr = serializers.CharField(allow_null=True, help_text="The invalid field; null if no single field is invalid.")


class ErrorResponse(serializers.Serializer[Any]):
    """The body of every error response, 400 to 503."""

    type = serializers.ChoiceField(ERROR_TYPES)
    errors = ErrorSerializer(many=True)  # type: ignore[assignment]


API = "/api/"


def error_response(exc: APIException) -> JsonResponse:
    """An error response in the API's format, for code outside of DRF views."""
    context: ExceptionHandlerContext = {"view": APIView(), "args": (), "kwargs": {}, "request": None}
    headers = {"Retry-After": str(wait)} if (wait := getattr(exc, "wait", None)) else {}
    return JsonResponse(Formatter(exc, context, exc).run(), status=exc.status_code, headers=headers)


class UnknownPath(APIView):
    """Answers 404 to every path under `/api/` that no other route matches."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound(_("There is no such path. Check the slash at the end. See /api/v1/docs/."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler400`. Renders without the request, because its Host header may be the invalid part."""
    if request.path_info.startswith(API):
        return error_response(ParseError())
    return HttpResponse(render_to_string("400.html", {"number": request_id.current()}), status=400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler404`: JSON for paths under `/api/`, else the 404 page."""
    if request.path_info.startswith(API):
        return error_response(NotFound())
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`; 503 after a temporary failure. The pages need neither the database nor the user."""
    problem = temporary_failure(sys.exc_info()[1]) or InternalError()
    if request.path_info.startswith(API):
        return error_response(problem)
    if isinstance(problem, Busy):
        # Only after NotDone is it certain that nothing was changed, and its text says so.
        undone = problem.detail if isinstance(problem, NotDone) else ""
        page = render_to_string("503.html", {"undone": undone})
        return HttpResponse(page, status=503, headers={"Retry-After": str(problem.wait)})
    return HttpResponse(render_to_string("500.html", {"number": request_id.current()}), status=500)
