"""Routes: one driver's stops of one day."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from orders.models.driver import Driver
from web.tracked import Tracked


class RouteStatus(models.TextChoices):
    PLANNED = "planned", _("Planned")
    ACTIVE = "active", _("On the road")
    COMPLETED = "completed", _("Completed")
    CANCELLED = "cancelled", _("Cancelled")


class Route(Tracked):
    """The stops of one day for one driver, in order of `Order.stop_sequence`. Never deleted."""

    date = models.DateField(_("date"), db_index=True)
    name = models.CharField(_("name"), max_length=60)
    driver = models.ForeignKey(
        Driver, models.PROTECT, null=True, blank=True, related_name="routes", verbose_name=_("driver")
    )
    status = models.CharField(_("status"), max_length=12, choices=RouteStatus, default=RouteStatus.PLANNED)

    class Meta:
        verbose_name, verbose_name_plural = _("route"), _("routes")
        ordering = ("-date", "name", "id")

    def __str__(self) -> str:
        return f"{self.date:%m/%d} {self.name}"

    @property
    def total_stops(self) -> int:
        """Stops on the route that were not cancelled."""
        counted = self.__dict__.get("stops")  # annotated by lists, so that they need one query for all
        return int(counted) if counted is not None else self.orders.exclude(status="cancelled").count()
