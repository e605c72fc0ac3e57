"""The page of the import, among those of orders in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from importing.admin import import_view

urlpatterns = [path("admin/orders/order/import/", admin.site.admin_view(import_view), name="import_orders")]
