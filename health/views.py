"""The dashboard: whether all is well, in words, figures and plots. Its script fetches it anew while it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from csp.constants import NONE, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.pages import check_page
from health import history, snapshots
from health.parts import PARTS
from health.plots import PLOTS, head, table
from health.probes import Health, ask_all
from health.rights import SEE_HEALTH
from health.tiles import tiles
from health.verdict import database_down, faults
from web.system_metrics import lately

# What has no address of its own.
WHERE = {"migrations": "health_ready"}
LATELY = timedelta(minutes=10)
View = Callable[..., HttpResponse]


def for_office(view: View) -> View:
    @require_safe
    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        check_page(request.user, SEE_HEALTH)
        return view(request, **kwargs)

    return guarded


def while_the_database_answers(view: View) -> View:
    """Otherwise says so at once. To stand before the sign-in, which asks the database too, and without a limit."""

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if PARTS["database"]()["status"] != Health.UNHEALTHY:
            return view(request, **kwargs)
        page = render_to_string("health/database_down.html", {"fault": database_down()})
        return HttpResponse(page, status=503)

    return guarded


@while_the_database_answers
@for_office
def dashboard(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    answers = ask_all(PARTS)
    told = {
        "now": now,
        "data": {"user": request.user.pk, "ready": reverse("health_ready")},
        "database_down": database_down(),
        "faults": faults(answers, snapshots.failed_requests(lately(LATELY).counts)),
        "tiles": tiles(answers, snapshots.open_orders()),
        "parts": [(name, reverse(WHERE.get(name, f"health_{name}")), part) for name, part in answers.items()],
        "periods": [
            _period("hour", _("The last hour"), _("Table of the last hour"), now),
            _period("day", _("The last 24 hours"), _("Table of the last 24 hours"), now),
        ],
        "head": head(),
    }
    return render(request, "health/dashboard.html", told)


def _period(name: str, title: str, caption: str, now: datetime) -> dict[str, Any]:
    moments = history.PERIODS[name](now)
    plots = [
        {
            "key": f"{name}-{key}",
            "title": plot.title,
            "words": plot.in_words(moments),
            "url": f"{reverse('health_plot', args=[name, key])}?v={plot.version(moments)}",
        }
        for key, plot in PLOTS.items()
    ]
    return {"name": name, "title": title, "caption": caption, "plots": plots, "rows": list(table(moments))}


# A browser may hold a picture to the policy it came with, and its colours stand in it. It can run and load nothing.
@csp_replace({"default-src": [NONE], "style-src": [UNSAFE_INLINE], "img-src": [NONE]})
@for_office
def plot(request: HttpRequest, period: str, name: str) -> HttpResponse:
    """One picture. Its address on the page changes with it, so the browser may keep it."""
    if period not in history.PERIODS or name not in PLOTS:
        raise Http404
    svg = PLOTS[name].svg(history.PERIODS[period](timezone.now()))
    return HttpResponse(svg, content_type="image/svg+xml", headers={"Cache-Control": "private, max-age=86400"})
