"""Telephone numbers in requests and answers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from orders import phones


class PhoneNumberField(serializers.CharField):
    """A telephone number as people write it; answered as it is stored, E.164."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"max_length": 64, "allow_blank": True} | kwargs))

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            return phones.normalise(text) if text else text
        except phones.InvalidPhone as error:
            raise serializers.ValidationError(str(error), code="invalid_phone") from error


class MaskedPhoneField(serializers.CharField):
    """A telephone number fit for a list."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> str:
        return phones.mask(value)
