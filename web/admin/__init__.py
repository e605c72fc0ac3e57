"""The base of the admin's pages, of all apps."""

from __future__ import annotations

from django.contrib import admin

from web.admin import switches

__all__ = ["switches"]

admin.site.site_header = admin.site.site_title = "幸福氣 Lucky Gas"
