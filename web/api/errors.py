"""Errors in the one shape of the API: `{"type", "errors": [{"code", "detail", "attr"}]}`."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import DataError, IntegrityError
from django.utils.translation import gettext as _
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import CLIENT_ERROR, SERVER_ERROR, VALIDATION_ERROR, Error, ErrorType
from rest_framework import exceptions, serializers
from rest_framework.response import Response

from web import throttling
from web.api.exceptions import Broken, Conflict, Impossible, NotDone, Refused, TooLarge, TooMany, for_now
from web.refusals import Refusal

logger = logging.getLogger(__name__)

# A body of a thousand wrong values is not answered with a thousand errors.
MOST_ERRORS = 50
NON_FIELD = "non_field_errors"


# What the database says no to. Each is logged: a check of ours should have come first.
SURPRISES: dict[type[Exception] | tuple[type[Exception], ...], type[exceptions.APIException]] = {
    (DataError, OverflowError): Impossible,
    IntegrityError: Conflict,
}


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
        return for_now(exc) or _surprise(exc) or super().convert_known_exceptions(exc)

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


def _surprise(exc: Exception) -> exceptions.APIException | None:
    for kinds, answer in SURPRISES.items():
        if isinstance(exc, kinds):
            logger.warning("Refused by the database, not by a check of ours.", exc_info=exc)
            return answer()
    return None


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
