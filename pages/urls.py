"""The pages of the site."""

from __future__ import annotations

from django.urls import path

from pages import driver, office, track

urlpatterns = [
    path("", office.home, name="home"),
    path("orders/new/", office.new_order, name="new_order"),
    path("driver/", driver.driver, name="driver"),
    path("driver/sw.js", driver.worker, name="driver_worker"),
    path("driver/manifest.webmanifest", driver.manifest, name="driver_manifest"),
    path("t/<str:token>/", track.track, name="track"),
]
