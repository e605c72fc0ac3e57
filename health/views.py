"""The dashboard: faults, figures and plots. Its script refreshes the page while it is visible."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
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

from accounts.roles import Side, check_page
from health import history
from health.parts import PARTS, SEE_HEALTH
from health.plots import PLOTS, STATUSES, column_names, table
from health.probes import Answer, HealthStatus, run_all
from health.verdict import database_down, faults
from web.system_metrics import recent_figures

NOTHING = "–"
# The URL names of parts that have no URL of their own.
URL_NAMES = {"migrations": "health_ready"}
RECENT = timedelta(minutes=10)
View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Tile:
    label: str
    value: str
    more: str = ""


def tiles(answers: Mapping[str, Answer], orders: Mapping[str, int]) -> Iterator[Tile]:
    """Yields the dashboard's tiles, with NOTHING for figures of a part that did not answer."""
    sockets, messages = answers["websocket"], answers["notifications"]
    sides = dict(Side.choices)
    roles = ((str(sides.get(role, role)), count) for role, count in sorted(sockets.get("by_role", {}).items()))
    yield Tile(_("Live connections"), figure(sockets.get("connections")), _join_counts(roles))
    yield Tile(_("Events per second"), figure(sockets.get("events_per_second")), _("in the last one to two minutes"))
    slow = _("median; 99th percentile: %s") % milliseconds(sockets.get("hub_lag_p99_ms"))
    yield Tile(_("From change to screen"), milliseconds(sockets.get("hub_lag_ms")), slow)
    statuses = ((str(status.label), orders[status]) for status in STATUSES if orders.get(status))
    yield Tile(_("Open orders"), figure(sum(orders.values())), _join_counts(statuses))
    failed = _("failed: %s") % figure(messages.get("notifications_failed_today"))
    yield Tile(_("SMS sent today"), figure(messages.get("notifications_sent_today")), failed)
    unknown = _("delivery status unknown: %s") % figure(messages.get("unknown"))
    yield Tile(_("SMS waiting"), figure(messages.get("pending")), unknown)
    yield Tile(_("Points left"), figure(messages.get("balance")), str(messages.get("sms_provider", {}).get("name", "")))


def figure(value: Any) -> str:
    return NOTHING if value is None else f"{float(value):,.7g}"


def milliseconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.{'3g' if value < 100 else '0f'}} ms"


def _join_counts(counts: Iterable[tuple[str, int]]) -> str:
    return " · ".join(f"{label} {count}" for label, count in counts)


def for_office(view: View) -> View:
    @require_safe
    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        check_page(request.user, SEE_HEALTH)
        return view(request, **kwargs)

    return guarded


def while_the_database_answers(view: View) -> View:
    """Decorator: answers 503 with an explanation while the database is down.

    Apply it outside of the sign-in check, which queries the database without a time limit.
    """

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if PARTS["database"]()["status"] != HealthStatus.UNHEALTHY:
            return view(request, **kwargs)
        page = render_to_string("health/database_down.html", {"fault": database_down()})
        return HttpResponse(page, status=503)

    return guarded


@while_the_database_answers
@for_office
def dashboard(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    answers = run_all(PARTS)
    context = {
        "now": now,
        "data": {"user": request.user.pk, "ready": reverse("health_ready")},
        "database_down": database_down(),
        "faults": faults(answers, history.failed_requests(recent_figures(RECENT).counts)),
        "tiles": tiles(answers, history.open_orders()),
        "parts": [(name, reverse(URL_NAMES.get(name, f"health_{name}")), part) for name, part in answers.items()],
        "periods": [
            _period("hour", _("The last hour"), _("Table of the last hour"), now),
            _period("day", _("The last 24 hours"), _("Table of the last 24 hours"), now),
        ],
        "column_names": column_names(),
    }
    return render(request, "health/dashboard.html", context)


def _period(name: str, title: str, caption: str, now: datetime) -> dict[str, Any]:
    moments = history.PERIODS[name](now)
    plots = [
        {
            "key": f"{name}-{key}",
            "title": plot.title,
            "description": plot.description(moments),
            "url": f"{reverse('health_plot', args=[name, key])}?v={plot.version(moments)}",
        }
        for key, plot in PLOTS.items()
    ]
    return {"name": name, "title": title, "caption": caption, "plots": plots, "rows": list(table(moments))}


# Browsers apply this policy to the picture. It may have inline styles (its colours), but no scripts, and loads nothing.
@csp_replace({"default-src": [NONE], "style-src": [UNSAFE_INLINE], "img-src": [NONE]})
@for_office
def plot(request: HttpRequest, period: str, name: str) -> HttpResponse:
    """Returns one plot as SVG. The page's URL for it changes when the picture changes, so browsers may cache it."""
    if period not in history.PERIODS or name not in PLOTS:
        raise Http404
    svg = PLOTS[name].svg(history.PERIODS[period](timezone.now()))
    return HttpResponse(svg, content_type="image/svg+xml", headers={"Cache-Control": "private, max-age=86400"})
