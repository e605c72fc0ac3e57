"""Addresses of the admin from before the models had apps of their own: bookmarks lead on."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.urls import re_path
from django.utils.http import escape_leading_slashes

APPS = {
    "orders/customer": "customers", "orders/product": "catalogue", "orders/driver": "dispatch",
    "orders/route": "dispatch", "health/systemmetric": "web",
}  # fmt: skip


def moved(request: HttpRequest, place: str, rest: str) -> HttpResponsePermanentRedirect:
    """With the query as it was, and with a form that was open and is sent now."""
    path = request.get_full_path().replace(f"/{place}/", f"/{APPS[place]}/{place.partition('/')[2]}/", 1)
    return HttpResponsePermanentRedirect(escape_leading_slashes(path), preserve_request=True)


urlpatterns = [re_path(rf"^admin/(?P<place>{'|'.join(APPS)})/(?P<rest>.*)$", moved)]
