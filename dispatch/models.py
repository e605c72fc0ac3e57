"""Drivers, their positions, and the routes of a day."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.admin import display
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.phones import PhoneField
from web.limits import validate_day
from web.tracked import Tracked

# Maximum age of a position: about one shift. Older ones are not accepted, and `recent` leaves them out.
MAX_POSITION_AGE = timedelta(hours=12)


class Driver(Tracked):
    """A driver and their account. Never deleted, only deactivated."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="driver", verbose_name=_("account")
    )
    name = models.CharField(_("name"), max_length=60)
    phone = PhoneField(_("telephone"), blank=True)
    vehicle_plate = models.CharField(_("vehicle plate"), max_length=12, blank=True)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name, verbose_name_plural = _("driver"), _("drivers")
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name


class DriverLocationQuerySet(models.QuerySet["DriverLocation"]):
    def recent(self) -> DriverLocationQuerySet:
        """Positions of active drivers that are at most MAX_POSITION_AGE old."""
        return self.filter(recorded_at__gte=timezone.now() - MAX_POSITION_AGE, driver__is_active=True)

    def save_if_newer(self, location: DriverLocation) -> bool:
        """Stores `location` if it is newer than the driver's stored position, or the first; returns whether it did.

        Concurrent calls are safe.
        """
        values = {name: getattr(location, name) for name in location.VALUES}
        older = self.filter(pk=location.driver_id, recorded_at__lt=location.recorded_at)
        if older.update(**values):
            return True
        _row, created = self.get_or_create(driver_id=location.driver_id, defaults=values)
        # A concurrent call may have created the row in between, with an older position.
        return created or bool(older.update(**values))


class DriverLocation(models.Model):
    """The latest position of a driver, one row per driver (WGS 84; km/h; degrees from north; metres)."""

    driver = models.OneToOneField(
        Driver, models.CASCADE, primary_key=True, related_name="location", verbose_name=_("driver")
    )
    latitude = models.FloatField(validators=[MinValueValidator(-90), MaxValueValidator(90)])
    longitude = models.FloatField(validators=[MinValueValidator(-180), MaxValueValidator(180)])
    speed = models.FloatField(null=True, blank=True)
    heading = models.FloatField(null=True, blank=True)
    accuracy = models.FloatField(null=True, blank=True)
    recorded_at = models.DateTimeField(help_text=_("When the telephone measured this position."))

    objects = DriverLocationQuerySet.as_manager()

    VALUES = ("latitude", "longitude", "speed", "heading", "accuracy", "recorded_at")

    class Meta:
        verbose_name, verbose_name_plural = _("driver's position"), _("drivers' positions")

    def __str__(self) -> str:
        return f"{self.latitude:.5f}, {self.longitude:.5f}"


class RouteStatus(models.TextChoices):
    PLANNED = "planned", _("Planned")
    ACTIVE = "active", _("On the road")
    COMPLETED = "completed", _("Completed")
    CANCELLED = "cancelled", _("Cancelled")


class RouteQuerySet(models.QuerySet["Route"]):
    def with_stops(self) -> RouteQuerySet:
        """Annotates `stops`, the number of stops that are not cancelled: then `total_stops` needs no query of its own.

        A subquery counts them: PostgreSQL cannot lock grouped rows, and requests that change a route lock it.
        """
        own = Route.objects.filter(pk=OuterRef("pk")).order_by().values("pk")
        counted = own.annotate(count=Count("orders", filter=~Q(orders__status="cancelled"))).values("count")
        return self.annotate(stops=Subquery(counted))


class Route(Tracked):
    """The stops of one driver on one day, ordered by `Order.stop_sequence`. Never deleted."""

    date = models.DateField(_("date"), db_index=True, validators=[validate_day])
    name = models.CharField(_("name"), max_length=60)
    driver = models.ForeignKey(
        Driver, models.PROTECT, null=True, blank=True, related_name="routes", verbose_name=_("driver")
    )
    status = models.CharField(_("status"), max_length=12, choices=RouteStatus, default=RouteStatus.PLANNED)

    objects = RouteQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("route"), _("routes")
        ordering = ("-date", "name", "id")

    def __str__(self) -> str:
        return f"{self.date.month}/{self.date.day} {self.name}"

    @property
    @display(description=_("number of stops"))
    def total_stops(self) -> int:
        """The number of stops that are not cancelled."""
        counted = self.__dict__.get("stops")  # set by `with_stops`
        return int(counted) if counted is not None else self.orders.exclude(status="cancelled").count()
