"""REST resource `customers/`, and serializer fields for telephone numbers."""

from __future__ import annotations

from typing import Any

import django_filters as filters
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from accounts import users
from accounts.api.by_role import FieldsByRole, Filters, RowsByRole
from accounts.roles import Side
from customers import phones
from customers.models import Customer
from web.api.fields import StrictModelSerializer, related_field
from web.api.lists import TrueOrFalseFilter, ordering


class PhoneNumberField(serializers.CharField):
    """Accepts a telephone number as people write it, and returns E.164."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"max_length": 64, "allow_blank": True} | kwargs))

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        return phones.normalise(text) if text else text


class MaskedPhoneField(serializers.CharField):
    """A telephone number with its middle hidden, for lists."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> str:
        return phones.mask(value)


CUSTOMERS = Customer.objects.all()
FIELDS = (
    "id", "name", "phone", "phone2", "email", "address", "area", "latitude", "longitude", "notes", "language",
    "sms_opt_out", "sms_confirmed", "sms_on_the_way", "sms_arriving", "sms_delivered", "sms_changes",
    "user", "is_active", "created_at",
)  # fmt: skip
# The fields that a driver sees: those needed to find the customer and to call.
DRIVER_FIELDS = frozenset({"id", "name", "phone", "phone2", "address", "area", "latitude", "longitude"})


class CustomerSerializer(FieldsByRole, StrictModelSerializer[Customer]):
    """A customer. Telephone numbers are accepted as people write them and stored in E.164."""

    seen_by = {Side.OFFICE: frozenset(FIELDS), Side.DRIVER: DRIVER_FIELDS}
    phone = PhoneNumberField(required=False)
    phone2 = PhoneNumberField(required=False)
    user = related_field(User.objects.all(), required=False, allow_null=True, validators=[UniqueValidator(CUSTOMERS)])

    class Meta:
        model = Customer
        fields = FIELDS
        read_only_fields = ("id", "created_at")

    def validate_user(self, user: User | None) -> User | None:
        """Raises a Refusal if the account changes and the caller may not manage the old one or the new one."""
        before = self.instance.user if self.instance is not None else None
        for account in filter(None, (before, user) if user != before else ()):
            users.check_may_manage(self.context["request"].user, account)
        return user


class CustomerRow(CustomerSerializer):
    """A customer in a list, with masked telephones."""

    phone = MaskedPhoneField()  # type: ignore[assignment]
    phone2 = MaskedPhoneField()  # type: ignore[assignment]


class CustomerFilters(Filters):
    area = filters.CharFilter(max_length=20)
    is_active = TrueOrFalseFilter()
    q = filters.CharFilter(
        method=lambda customers, _name, text: customers.search(text),
        max_length=100,
        help_text=_("Part of the name, address, or telephone."),
    )
    ordering = ordering("name", "id", "created_at")


class Customers(RowsByRole[Customer]):
    """The office may read and change customers; a driver may read the customers of their own open orders."""

    queryset = CUSTOMERS
    filterset_class = CustomerFilters

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        return CustomerRow if self.action == "list" else CustomerSerializer
