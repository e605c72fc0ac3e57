"""Addresses of the admin from before the models had apps of their own: bookmarks lead on."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.urls import re_path
from django.utils.http import escape_leading_slashes

APPS = {"customer": "customers", "product": "catalogue", "driver": "dispatch", "route": "dispatch"}


def moved(request: HttpRequest, model: str, rest: str) -> HttpResponsePermanentRedirect:
    """With the query as it was, and with a form that was open and is sent now."""
    path = request.get_full_path().replace(f"/orders/{model}/", f"/{APPS[model]}/{model}/", 1)
    return HttpResponsePermanentRedirect(escape_leading_slashes(path), preserve_request=True)


urlpatterns = [re_path(rf"^admin/orders/(?P<model>{'|'.join(APPS)})/(?P<rest>.*)$", moved)]
