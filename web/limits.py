"""The limits of plausible values: ids, days, moments, amounts of money, coordinates."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

MAX_ID = 2**63 - 1
YEAR = timedelta(days=366)
# The maximum price or payment at the door, in NT$. A larger one is a typing error.
MAX_MONEY = 10_000_000


def is_id(text: str) -> bool:
    """Whether a text may be an id: 1 to 18 ASCII digits, which fit every id column."""
    return text.isascii() and text.isdecimal() and len(text) < len(str(MAX_ID))


def validate_moment(moment: datetime) -> None:
    if abs(moment - timezone.now()) > YEAR:
        raise ValidationError(_("This time is more than a year away. Please check the date."), code="far")


def validate_day(day: date) -> None:
    if abs(day - timezone.localdate()) > YEAR:
        raise ValidationError(_("This date is more than a year away. Please check it."), code="far")


def latitude_field() -> models.FloatField[float | None, float | None]:
    """A model field for degrees north (WGS 84), from -90 to 90. May be empty."""
    return models.FloatField(null=True, blank=True, validators=[MinValueValidator(-90), MaxValueValidator(90)])


def longitude_field() -> models.FloatField[float | None, float | None]:
    """A model field for degrees east (WGS 84), from -180 to 180. May be empty."""
    return models.FloatField(null=True, blank=True, validators=[MinValueValidator(-180), MaxValueValidator(180)])
