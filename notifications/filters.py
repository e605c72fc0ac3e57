"""Filters of the history."""

from __future__ import annotations

from datetime import date, timedelta

import django_filters as filters
from django.utils.translation import gettext_lazy as _

from accounts.api.by_role import Filters
from notifications.models import NotificationHistory
from notifications.models import NotificationQuerySet as Rows
from notifications.states import Kind, Status
from notifications.statistics import midnight
from web.api.filters import ChoicesFilter, IdFilter, ordering


class NotificationFilters(Filters):
    status = ChoicesFilter(choices=Status.choices, help_text=_("One or several, with commas."))
    kind = ChoicesFilter(choices=Kind.choices, help_text=_("One or several, with commas."))
    order = IdFilter()
    customer = IdFilter()
    created_at_from = filters.DateFilter(method="made_from", help_text=_("Made on this day or later."))
    created_at_to = filters.DateFilter(method="made_to", help_text=_("Made on this day or before."))
    ordering = ordering("created_at", "sent_at")

    class Meta:
        model = NotificationHistory
        fields: list[str] = []

    def made_from(self, rows: Rows, name: str, day: date) -> Rows:
        return rows.filter(created_at__gte=midnight(day))

    def made_to(self, rows: Rows, name: str, day: date) -> Rows:
        return rows.filter(created_at__lt=midnight(day + timedelta(days=1)))
