"""Admin page with the statistics of a period: tables, plots and a CSV export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.roles import check_page
from orders import statistics
from orders.states import OrderStatus
from web import charts, csv_export
from web.admin import BaseAdmin
from web.charts import BLUE, GREEN, GREY, ORANGE, Series

Figures = dict[str, Any]
EXPORT = "orders.export_statistics"


class StatisticsView(BaseAdmin):
    """Mixin for `OrderAdmin` that adds the page `statistics/`, for staff who may view orders."""

    def statistics_view(self, request: HttpRequest) -> HttpResponse:
        """Shows the requested period; if it is invalid, its errors and the last 30 days.

        `?format=csv` downloads the tables of a valid period. It needs the permission EXPORT.
        """
        check_page(request.user, "orders.view_order")
        days, errors = statistics.period(request.GET)
        figures = statistics.cached_statistics(*days)
        if request.GET.get("format") == "csv":
            check_page(request.user, EXPORT)
        if request.GET.get("format") == "csv" and not errors:
            return csv_export.csv_response(csv_rows(figures), f"statistics-{figures['from']}-{figures['to']}.csv")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Statistics"),
            "opts": self.opts,
            "wrong": [text for texts in errors.values() for text in texts],
            "figures": figures,
            # The number of orders in the tables, which exclude cancelled ones.
            "standing": figures["total"] - figures["by_status"][OrderStatus.CANCELLED],
            "sections": [
                table | {"plots": drawn} for table, drawn in zip(tables(figures), plots(figures), strict=True)
            ],
            "share": percent(figures["on_time_share"]),
            "first": figures["from"],
            "last": figures["to"],
        }
        return TemplateResponse(request, "admin/orders/order/statistics.html", context)


def tables(figures: Figures) -> list[Figures]:
    """The tables by day, driver and product. Each row is (name, cells); `head` holds the headings of the cells."""
    days, drivers, products = figures["by_day"], figures["by_driver"], figures["by_product"]
    return [
        _table(_("By day"), [row["date"] for row in days], days),
        _table(_("By driver"), [row["name"] for row in drivers], drivers),
        {
            "title": _("By product"),
            "head": [_("ordered"), _("delivered")],
            "rows": [(row["name"], [row["ordered"], row["delivered"]]) for row in products],
        },
    ]


def plots(figures: Figures) -> list[list[Figures]]:
    """The plots for each table, in the order of `tables`."""
    days, drivers, products = figures["by_day"], figures["by_driver"], figures["by_product"]
    short = [date_format(date.fromisoformat(row["date"]), "n/j") for row in days]
    names = [row["name"] for row in drivers]
    on_time = Series(_("on time, %"), tuple(percent(row["on_time_share"]) for row in days), GREEN)
    cylinders = charts.horizontal_bars([row["name"] for row in products], _delivered_series(products, "ordered"))
    return [
        [
            _plot(_("Orders per day"), charts.bars(short, _delivered_series(days, "orders"))),
            _plot(_("Share of delivered orders that were on time"), charts.lines(short, [on_time])),
            _plot(_("Minutes from confirmed to delivered"), charts.lines(short, _minutes_series(days))),
        ],
        [
            _plot(_("Orders by driver"), charts.horizontal_bars(names, _delivered_series(drivers, "orders"))),
            _plot(_("Minutes by driver"), charts.horizontal_bars(names, _minutes_series(drivers), stacked=False)),
        ],
        [_plot(_("Cylinders by product"), cylinders)],
    ]


def _plot(title: str, svg: bytes) -> Figures:
    return {"title": title, "image": charts.data_url(svg)}


def _table(title: str, names: Sequence[str], rows: Sequence[Figures]) -> Figures:
    head = [_("number of orders"), _("delivered"), _("on time, %"), _("median, minutes"), _("90th percentile, minutes")]
    cells = [
        [
            row["orders"],
            row["delivered"],
            percent(row["on_time_share"]),
            row["median_minutes"],
            row["p90_minutes"],
        ]
        for row in rows
    ]
    return {"title": title, "head": head, "rows": list(zip(names, cells, strict=True))}


def _delivered_series(rows: Sequence[Figures], total: str) -> list[Series]:
    return [
        Series(_("delivered"), tuple(row["delivered"] for row in rows), GREEN),
        Series(_("not delivered"), tuple(max(row[total] - row["delivered"], 0) for row in rows), GREY),
    ]


def _minutes_series(rows: Sequence[Figures]) -> list[Series]:
    return [
        Series(_("median"), tuple(row["median_minutes"] for row in rows), BLUE),
        Series(_("90th percentile"), tuple(row["p90_minutes"] for row in rows), ORANGE, dashed=True),
    ]


def percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)


def csv_rows(figures: Figures) -> Iterator[list[Any]]:
    """CSV rows: the tables one below the other, each followed by an empty row."""
    for table in tables(figures):
        yield [table["title"], *table["head"]]
        yield from ([name, *cells] for name, cells in table["rows"])
        yield []
