"""Drivers and where they are."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from orders.models.fields import PhoneField
from orders.models.tracked import Tracked


class Driver(Tracked):
    """Who delivers. Never deleted: deactivated."""

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


class DriverLocation(models.Model):
    """The latest position of a driver, one row each (WGS 84; km/h; degrees from north; metres)."""

    driver = models.OneToOneField(
        Driver, models.CASCADE, primary_key=True, related_name="location", verbose_name=_("driver")
    )
    latitude = models.FloatField(validators=[MinValueValidator(-90), MaxValueValidator(90)])
    longitude = models.FloatField(validators=[MinValueValidator(-180), MaxValueValidator(180)])
    speed = models.FloatField(null=True, blank=True)
    heading = models.FloatField(null=True, blank=True)
    accuracy = models.FloatField(null=True, blank=True)
    recorded_at = models.DateTimeField(help_text=_("When the telephone took the fix."))

    class Meta:
        verbose_name, verbose_name_plural = _("driver's position"), _("drivers' positions")

    def __str__(self) -> str:
        return f"{self.latitude:.5f}, {self.longitude:.5f}"
