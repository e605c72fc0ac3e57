"""The pages that people use: of the office, of drivers, of customers."""

from __future__ import annotations

from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "pages"
