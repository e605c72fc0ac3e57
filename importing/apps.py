"""Orders from sheets: read, checked and imported."""

from __future__ import annotations

from django.apps import AppConfig


class ImportingConfig(AppConfig):
    name = "importing"
