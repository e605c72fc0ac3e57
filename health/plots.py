"""The plots of the dashboard, and tables with the same figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from health.history import Moment
from notifications.statistics import outcomes
from orders.states import OrderStatus
from web import charts
from web.charts import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, Series, Value

STATUSES = {
    OrderStatus.PENDING: ORANGE, OrderStatus.FAILED: RED, OrderStatus.CONFIRMED: GREY, OrderStatus.ASSIGNED: PURPLE,
    OrderStatus.DELIVERING: BLUE, OrderStatus.ARRIVING: GREEN,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot of the dashboard. `series` converts moments to series; `draw` is a function of `web.charts`."""

    title: Promise
    series: Callable[[Sequence[Moment]], tuple[Series, ...]]
    draw: Callable[[Sequence[str], Sequence[Series]], bytes]

    def svg(self, moments: Sequence[Moment]) -> bytes:
        return _svg(self.draw, labels(moments), self.series(moments), get_language())

    def version(self, moments: Sequence[Moment]) -> str:
        """Returns a hash that changes with the picture."""
        content = repr((labels(moments), self.series(moments), get_language()))
        return sha256(content.encode()).hexdigest()[:16]

    def description(self, moments: Sequence[Moment]) -> str:
        """Describes the picture for screen readers: the newest and the highest value of each series."""
        parts = (_describe(one) for one in self.series(moments))
        return f"{self.title}: {'; '.join(parts)}"


def _describe(series: Series) -> str:
    known = [value for value in series.values if value is not None]
    if not known:
        return _("%s: no figures yet") % series.name
    return _("%(name)s: now %(now)s, highest %(most)s") % {"name": series.name, "now": known[-1], "most": max(known)}


def labels(moments: Sequence[Moment]) -> tuple[str, ...]:
    return tuple(moment.label for moment in moments)


@lru_cache(maxsize=64)
def _svg(
    draw: Callable[[Sequence[str], Sequence[Series]], bytes],
    at: tuple[str, ...],
    series: tuple[Series, ...],
    language: str | None,
) -> bytes:
    """Draws a plot. The cache makes one drawing serve all viewers."""
    return draw(at, series)


def _values(moments: Sequence[Moment], name: str) -> tuple[Value, ...]:
    return tuple(moment.figures[name] for moment in moments)


def _connections(moments: Sequence[Moment]) -> tuple[Series, ...]:
    return (Series(_("Connections"), _values(moments, "connections")),)


def _events(moments: Sequence[Moment]) -> tuple[Series, ...]:
    return (Series(_("Events per second"), _values(moments, "events_per_second")),)


def _latency(moments: Sequence[Moment]) -> tuple[Series, ...]:
    return (
        Series(_("median (p50)"), _values(moments, "latency_p50_ms")),
        Series(_("99th percentile (p99)"), _values(moments, "latency_p99_ms"), ORANGE, dashed=True),
    )


def _messages(moments: Sequence[Moment]) -> tuple[Series, ...]:
    return outcomes(moment.messages for moment in moments)


def _orders(moments: Sequence[Moment]) -> tuple[Series, ...]:
    return tuple(
        Series(
            str(status.label),
            tuple(None if moment.orders is None else moment.orders.get(status, 0) for moment in moments),
            colour,
        )
        for status, colour in STATUSES.items()
    )


def _errors(moments: Sequence[Moment]) -> tuple[Series, ...]:
    return (
        Series(_("failed requests"), _values(moments, "failed_requests"), RED),
        Series(_("refused socket messages"), _values(moments, "errors"), GREY),
    )


def _draw_counts(at: Sequence[str], series: Sequence[Series]) -> bytes:
    return charts.lines(at, series, whole=True)


PLOTS: dict[str, Plot] = {
    "connections": Plot(gettext_lazy("Open connections"), _connections, _draw_counts),
    "events": Plot(gettext_lazy("Events per second"), _events, charts.lines),
    "latency": Plot(gettext_lazy("From change to screen, milliseconds"), _latency, charts.lines),
    "messages": Plot(gettext_lazy("SMS by outcome"), _messages, charts.bars),
    "orders": Plot(gettext_lazy("Open orders by status"), _orders, charts.bars),
    "errors": Plot(gettext_lazy("Errors"), _errors, charts.bars),
}


def column_names() -> list[str]:
    """The names of the values in a row of `table`."""
    return [one.name for plot in PLOTS.values() for one in plot.series([])]


def table(moments: Sequence[Moment]) -> Iterator[tuple[str, list[Value]]]:
    """Yields a label and the values of all plots for each moment, the newest first."""
    columns = [one.values for plot in PLOTS.values() for one in plot.series(moments)]
    rows = list(zip(labels(moments), zip(*columns, strict=True), strict=True))
    return ((label, list(values)) for label, values in reversed(rows))
