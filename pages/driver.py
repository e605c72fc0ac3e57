"""The driver's page, with the service worker and manifest that make it work offline."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.roles import NO, Side, driver_id, reach, side_of
from orders.models.proof import MAX_SERIAL_LENGTH, MAX_SERIALS
from orders.states import OrderStatus
from pages.page_data import page_data
from realtime.positions import MOTION

# The files that the page loads itself. `files` finds the modules that these import.
LOADED = (
    "web/site.css", "web/icon.svg", "pages/driver/driver.css", "realtime/elements.css",
    "pages/driver/driver.js",
)  # fmt: skip
WORKER = "pages/driver/worker.js"
# The labels of a stop's buttons, by current and new status. The button for “failed” is in the template.
MOVE_LABELS = {
    (OrderStatus.ASSIGNED, OrderStatus.DELIVERING): _("Start"),
    (OrderStatus.DELIVERING, OrderStatus.ARRIVING): _("Arriving"),
    (OrderStatus.ARRIVING, OrderStatus.DELIVERED): _("Delivered"),
    (OrderStatus.DELIVERING, OrderStatus.ASSIGNED): _("Has not left yet: undo"),
    (OrderStatus.ARRIVING, OrderStatus.DELIVERING): _("Left without delivering: back on the road"),
}
IMPORT = re.compile(r'^(?:import|export)\b[^"]*"(\.\.?/[^"]+)";', re.MULTILINE)
# The response header with the version of the page's static files. The worker compares it with its own version.
VERSION_HEADER = "X-Page-Version"
BRAND = "#7a2e0a"


@require_safe
@login_required
@never_cache
def driver(request: HttpRequest) -> HttpResponse:
    """Shows drivers their page. Redirects other users to the home page."""
    user = cast("User", request.user)
    if side_of(user) is not Side.DRIVER or reach(user, "dispatch.drive") is NO:
        return redirect("home")
    page = render(request, "driver/driver.html", {"data": driver_page_data(user)})
    page[VERSION_HEADER] = version(files())
    return page


def driver_page_data(user: User) -> dict[str, Any]:
    """`page_data`, the driver's id, the server's limits, and each move's button label ("" without a button)."""
    data = page_data(user, Side.DRIVER)
    for before, moves in data["moves"].items():
        for move in moves:
            move["label"] = str(MOVE_LABELS.get((before, move["to"]), ""))
    limits = {"serials": MAX_SERIALS, "serial_length": MAX_SERIAL_LENGTH, "motion": MOTION}
    return data | {"driver": driver_id(user), "limits": limits}


@require_safe
@never_cache
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker's script. Its first line sets `BUILD`: the version, the files to cache, the translations' URL.

    A changed file changes the script, so browsers install a new worker.
    """
    names = files()
    build = {"version": version(names), "files": [static(name) for name in names], "translations": reverse("words")}
    body = f"const BUILD = {json.dumps(build)};\n{_path(WORKER).read_text()}"
    return HttpResponse(body, "text/javascript; charset=utf-8")


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """The manifest that lets phones add the page to the home screen (W3C Web Application Manifest)."""
    icons = [
        {"src": static("pages/driver/icon-192.png"), "sizes": "192x192", "type": "image/png"},
        {"src": static("pages/driver/icon-512.png"), "sizes": "512x512", "type": "image/png"},
        {
            "src": static("pages/driver/icon-maskable-512.png"), "sizes": "512x512", "type": "image/png",
            "purpose": "maskable",
        },
    ]  # fmt: skip
    content = {
        "id": reverse("driver"), "start_url": reverse("driver"), "scope": reverse("driver"), "display": "standalone",
        "name": gettext("Lucky Gas, for drivers"), "short_name": gettext("Lucky Gas"),
        "background_color": BRAND, "theme_color": BRAND, "icons": icons,
    }  # fmt: skip
    return JsonResponse(content, content_type="application/manifest+json", json_dumps_params={"ensure_ascii": False})


def files() -> list[str]:
    """The names of the LOADED files and of all modules that these import, directly or not. Sorted."""
    found: list[str] = []
    waiting = list(LOADED)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.append(name)
            if name.endswith(".js"):
                waiting += [normpath(join(dirname(name), other)) for other in IMPORT.findall(_path(name).read_text())]
    return sorted(found)


def version(names: list[str]) -> str:
    """A hash of the names and contents of these files and of the worker: 16 hex digits."""
    digest = sha256()
    for name in (*names, WORKER):
        digest.update(name.encode() + b"\0" + _path(name).read_bytes())
    return digest.hexdigest()[:16]


def _path(name: str) -> Path:
    return Path(cast("str", finders.find(name)))
