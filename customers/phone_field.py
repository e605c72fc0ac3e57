"""Telephone numbers as columns and in forms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.db import models

from customers import phones

if TYPE_CHECKING:
    TextField = models.CharField[str, str]
else:
    TextField = models.CharField


STORED_PHONE = re.compile(r"\+886\d{8,10}(;ext=\d+)?")


class PhoneText(forms.CharField):
    """A stored number is shown as people read it."""

    def prepare_value(self, value: Any) -> Any:
        return phones.display(value) if STORED_PHONE.fullmatch(value or "") else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class PhoneField(TextField):
    """A telephone number, accepted as people write it and stored normalised (see `customers.phones`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **({"max_length": 32} | kwargs))

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return phones.normalise(text) if text else text

    def formfield(self, *args: Any, **kwargs: Any) -> Any:
        # The form must let through what people write, longer than what is stored.
        return super().formfield(*args, **({"form_class": PhoneText} | kwargs | {"max_length": 64}))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Normalised here too, so that no path into the table stores it another way."""
        value = self.to_python(getattr(model_instance, self.attname))
        setattr(model_instance, self.attname, value)
        return value
