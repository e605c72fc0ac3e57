"""The API's exceptions, in addition to DRF's."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException

from web import database
from web.database import is_unavailable
from web.refusals import Refusal
from web.slow_work import RETRY_SECONDS, Overloaded
from web.throttling import throttled_text


class Refused(APIException):
    """The API's exception for a `Refusal`. An order's current version is also sent as ETag."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal.detail), refusal.code)
        self.status_code, self.attr = refusal.status, refusal.attr
        self.version, self.wait = refusal.version, refusal.wait


class TooLarge(APIException):
    status_code = 413
    default_code, default_detail = "too_large", _("The request is too large. Please send it in smaller parts.")


class UnstorableValue(APIException):
    status_code = 400
    default_code, default_detail = (
        "invalid",
        _("A value in the request cannot be stored, for example because it is too large. Please correct it."),
    )


class Conflict(APIException):
    status_code = 409
    default_code, default_detail = (
        "conflict",
        _("Another change was saved at the same time. Please load this again and retry."),
    )


class Busy(APIException):
    status_code, wait = 503, 1
    default_code, default_detail = "busy", _("The database is busy or unavailable. Please try again in a moment.")


class NotDone(Busy):
    """Nothing was done, and only this call must be retried: the client may go on with other calls."""

    def __init__(self, detail: str | Promise, code: str, wait: int) -> None:
        super().__init__(str(detail), code)
        self.wait = wait


def temporary_failure(error: BaseException | None) -> Busy | None:
    """The 503 for a temporary failure. None if the error is permanent."""
    if database.is_row_locked(error):
        return NotDone(database.ROW_LOCKED, "row_locked", 2)
    if isinstance(error, Overloaded):
        return NotDone(error.detail, "busy", RETRY_SECONDS)
    return Busy() if is_unavailable(error) else None


class TooManyRequests(APIException):
    """Tells the caller to retry after `wait` seconds, rounded, at least 1: in the text and as Retry-After."""

    status_code = 429
    default_code = "throttled"

    def __init__(self, wait: float | None = None) -> None:
        self.wait = max(1, round(wait or 1))
        super().__init__(throttled_text(self.wait))


class InternalError(APIException):
    default_detail = _("Something went wrong on our side and was logged. Please try again later.")
