"""Failed attempts to sign in: read, and deleted, which unlocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.db.models import OuterRef, Subquery, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from web.admin import HouseList

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

# django-axes has them in no Chinese: named here, our catalogue has them.
WORDS = [
    gettext_noop("Attempt Time"),
    gettext_noop("Failed Logins"),
    gettext_noop("IP Address"),
    gettext_noop("User Agent"),
    gettext_noop("access attempt"),
    gettext_noop("access attempts"),
]


@admin.register(AccessAttempt)
class AttemptAdmin(HouseList):
    list_display = ("username", "ip_address", "failures_since_start", "locked", "attempt_time", "user_agent")
    search_fields = ("username", "ip_address")
    search_help_text = _("Name or address. Deleting an attempt unlocks the name from there.")
    fields = readonly_fields = list_display

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With `counted`, as the lock counts: a row is of one browser, the lock of a name and an address."""
        same = AccessAttempt.objects.filter(
            username=OuterRef("username"),
            ip_address=OuterRef("ip_address"),
            attempt_time__gte=timezone.now() - settings.AXES_COOLOFF_TIME,
        )
        counted = same.order_by().values("username").annotate(sum=Sum("failures_since_start")).values("sum")
        attempts: QuerySet[Any] = super().get_queryset(request).annotate(counted=Subquery(counted))
        return attempts

    @admin.display(description=_("locked"), boolean=True)
    def locked(self, attempt: Any) -> bool:
        return (attempt.counted or 0) >= int(settings.AXES_FAILURE_LIMIT)
