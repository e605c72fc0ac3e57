"""`customers/`."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from accounts import users
from accounts.api.by_role import ByRole
from accounts.api.permissions import OfficeOrReader
from accounts.roles import Role
from orders import permissions
from orders.api.order_filters import CustomerFilters
from orders.api.phone_fields import MaskedPhoneField, PhoneNumberField
from orders.models import Customer
from web.api.fields import StrictModelSerializer, related
from web.api.resources import Resource

CUSTOMERS = Customer.objects.all()


FIELDS = (
    "id", "name", "phone", "phone2", "email", "address", "area", "latitude", "longitude", "notes", "language",
    "sms_opt_out", "sms_confirmed", "sms_on_the_way", "sms_arriving", "sms_delivered", "sms_changes",
    "user", "is_active", "created_at",
)  # fmt: skip
# What a driver needs in order to find the door and to call.
DRIVER = frozenset({"id", "name", "phone", "phone2", "address", "area", "latitude", "longitude"})


class CustomerSerializer(ByRole, StrictModelSerializer[Customer]):
    """A customer; telephones are taken as people write them and kept in E.164."""

    seen_by = {Role.OFFICE: frozenset(FIELDS), Role.DRIVER: DRIVER}
    phone = PhoneNumberField(required=False)
    phone2 = PhoneNumberField(required=False)
    user = related(User.objects.all(), required=False, allow_null=True, validators=[UniqueValidator(CUSTOMERS)])

    class Meta:
        model = Customer
        fields = FIELDS
        read_only_fields = ("id", "created_at")

    def validate_user(self, user: User | None) -> User | None:
        if user is not None and (self.instance is None or self.instance.user_id != user.pk):
            users.check_may_manage(self.context["request"].user, user)
        return user


class CustomerRow(CustomerSerializer):
    """In a list, the telephones are masked."""

    phone = MaskedPhoneField()  # type: ignore[assignment]
    phone2 = MaskedPhoneField()  # type: ignore[assignment]


class Customers(Resource[Customer]):
    """The office; a driver reads those to whom an open order of theirs goes."""

    queryset = CUSTOMERS
    permission_classes = (OfficeOrReader,)
    filterset_class = CustomerFilters

    def get_queryset(self) -> QuerySet[Customer]:
        return permissions.visible_customers(self.request.user, super().get_queryset())

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        return CustomerRow if self.action == "list" else CustomerSerializer
