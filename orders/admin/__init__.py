"""The office's tool: Django's own admin, in our colours."""

from __future__ import annotations

from django.contrib import admin
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from orders.admin import accounts, attempts, customer, driver, order, product, route

__all__ = ["accounts", "attempts", "customer", "driver", "order", "product", "route"]

# They show whole tokens, with which one could act as their owners.
admin.site.unregister([BlacklistedToken, OutstandingToken])
