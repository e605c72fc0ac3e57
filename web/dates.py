"""Days and moments that make sense: within a year of now. The years 1 and 9999 are typing errors."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

YEAR = timedelta(days=366)


def validate_moment(moment: datetime) -> None:
    if abs(moment - timezone.now()) > YEAR:
        raise ValidationError(_("This moment is more than a year away."), code="far")


def validate_day(day: date) -> None:
    if abs(day - timezone.localdate()) > YEAR:
        raise ValidationError(_("This day is more than a year away."), code="far")
