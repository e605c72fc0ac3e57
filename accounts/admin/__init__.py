"""Who may sign in, and who tried."""

from __future__ import annotations

from django.contrib import admin
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.admin import attempts, users

__all__ = ["attempts", "users"]

# They show whole tokens, with which one could act as their owners.
admin.site.unregister([BlacklistedToken, OutstandingToken])
