"""Fields the models share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from orders import phones

if TYPE_CHECKING:
    TextField = models.CharField[str, str]
else:
    TextField = models.CharField


class PhoneField(TextField):
    """A telephone number, accepted as people write it and stored normalised (see `orders.phones`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **({"max_length": 32} | kwargs))

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return text
        try:
            return phones.normalise(text)
        except phones.InvalidPhone as error:
            raise ValidationError(str(error), code="invalid_phone") from error

    def formfield(self, *args: Any, **kwargs: Any) -> Any:
        # The form must let through what people write, longer than what is stored.
        return super().formfield(*args, **(kwargs | {"max_length": 64}))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Normalised here too, so that no path into the table stores it another way."""
        value = self.to_python(getattr(model_instance, self.attname))
        setattr(model_instance, self.attname, value)
        return value


def latitude_field() -> models.FloatField[float | None, float | None]:
    """Degrees north, WGS 84."""
    return models.FloatField(null=True, blank=True, validators=[MinValueValidator(-90), MaxValueValidator(90)])


def longitude_field() -> models.FloatField[float | None, float | None]:
    """Degrees east, WGS 84."""
    return models.FloatField(null=True, blank=True, validators=[MinValueValidator(-180), MaxValueValidator(180)])
