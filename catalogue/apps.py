"""Products, their prices and stock."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class CatalogueConfig(AppConfig):
    name = "catalogue"
    verbose_name = _("Products")

    def ready(self) -> None:
        from accounts import visibility
        from catalogue.models import Product

        # Drivers and customers see active products only.
        visibility.register(Product, lambda user: Q(is_active=True))
