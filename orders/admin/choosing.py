"""Choosing a customer: there are thousands, and many share a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.admin.widgets import AutocompleteSelect

from orders import phones
from orders.models import Customer
from web.admin.base import is_id

if TYPE_CHECKING:
    from django.db.models import QuerySet

    ChoiceField = forms.ModelChoiceField[Customer]
else:
    ChoiceField = forms.ModelChoiceField


def described(customer: Customer) -> str:
    """What tells two of one name apart."""
    return " · ".join(filter(None, [customer.name, phones.mask(customer.phone or customer.phone2), customer.address]))


class CustomerField(ChoiceField):
    def label_from_instance(self, obj: Customer) -> str:
        return described(obj)


class CustomerSelect(AutocompleteSelect):
    url_name = "%s:orders_customer_choose"

    def optgroups(self, name: str, value: Any, attrs: dict[str, Any] | None = None) -> Any:
        return super().optgroups(name, [text for text in value if is_id(text)], attrs)


class CustomerChoices(AutocompleteJsonView):
    """Answers the field as one types: those who are active."""

    def get_queryset(self) -> QuerySet[Customer]:
        return super().get_queryset().filter(is_active=True)

    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        return {"id": str(obj.pk), "text": described(obj)}
