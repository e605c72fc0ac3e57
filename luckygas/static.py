"""Static files, served where they lie, without `collectstatic`, and before anything that stands around a page."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from servestatic import ServeStaticASGI


def with_static_files(application: Any) -> ServeStaticASGI:
    """Browsers ask each time whether theirs is still the present one (304): after a deployment no page mixes old
    modules with new ones.
    """
    site = ServeStaticASGI(application, max_age=0, add_headers_function=add_headers)
    directories = {storage.location: None for finder in get_finders() for _path, storage in finder.list([])}
    for directory in reversed(directories):  # of two files of one name the one found first is served
        site.add_files(directory, prefix=settings.STATIC_URL)
    return site


def add_headers(headers: Any, path: str, url: str) -> None:
    """No middleware sees these answers."""
    headers["X-Content-Type-Options"] = "nosniff"
