"""Where something is on the earth."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models


def latitude_field() -> models.FloatField[float | None, float | None]:
    """Degrees north, WGS 84."""
    return models.FloatField(null=True, blank=True, validators=[MinValueValidator(-90), MaxValueValidator(90)])


def longitude_field() -> models.FloatField[float | None, float | None]:
    """Degrees east, WGS 84."""
    return models.FloatField(null=True, blank=True, validators=[MinValueValidator(-180), MaxValueValidator(180)])
