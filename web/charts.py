"""Charts for the office's pages: SVG by pygal, shown as images.

An SVG image runs no script and ignores the page's styles, so it has its own colours for light and dark.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pygal
from django.utils.translation import gettext as _
from pygal.style import Style

# pygal hooks into every import of the process to find its plug-ins (maps), which we do not use. Python 3.11 warns about
# the hook's interface, and 3.12 removed it.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "PluginImportFixer"]

Value = float | int | None
WIDTH, HEIGHT = 480, 220
# The maximum number of labels below a chart; more would overlap.
MAX_LABELS = 6
# A line with at most this many points shows a dot at each point.
MAX_DOTS = 31
# Colours that colour-blind readers can tell apart (after Okabe and Ito), on light and dark backgrounds.
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#2b7bba", "#d17c00", "#12906a", "#d0453e", "#a45fb0", "#85807c"
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, GREY)
FONT = 'system-ui, "Noto Sans TC", "PingFang TC", "Microsoft JhengHei", sans-serif'
STYLE: dict[str, Any] = {
    "background": "transparent", "plot_background": "transparent", "foreground": "#3d322b",
    "foreground_strong": "#241a15", "foreground_subtle": "#b9aaa0", "guide_stroke_color": "#b9aaa0",
    "major_guide_stroke_color": "#b9aaa0", "font_family": FONT, "label_font_size": 13, "major_label_font_size": 13,
    "legend_font_size": 13, "no_data_font_size": 20, "opacity": ".9", "stroke_opacity": "1", "stroke_width": "2",
    "transition": "0s",
}  # fmt: skip
DARK = (
    "inline:@media (prefers-color-scheme: dark) { .axis text, .axis text.major, .legends .legend text, text.no_data"
    " { fill: #e9ded6 } .axis .line { stroke: #c9b8ac } .axis .guide.line, .axis .major.line { stroke: #5f5148 } }"
)


@dataclass(frozen=True, slots=True)
class Series:
    """A line, or the bars of one colour. `dashed` makes a line recognizable without its colour."""

    name: str
    values: tuple[Value, ...]
    colour: str = BLUE
    dashed: bool = False


def lines(labels: Sequence[str], series: Sequence[Series], *, whole: bool = False) -> bytes:
    """A line chart of values over time. None leaves a gap.

    `whole`: the values are counts, so the axis has whole numbers from 0.
    """
    options = _options(labels, series, whole=whole)
    # A value between two gaps is invisible without a dot.
    dots = len(labels) <= MAX_DOTS or any(_has_isolated_value(one.values) for one in series)
    return _render(pygal.Line(**options, show_dots=dots, dots_size=2, allow_interruptions=True), series)


def _has_isolated_value(values: Sequence[Value]) -> bool:
    """Whether any value has a gap on both sides."""
    neighbours = zip((None, *values), values, (*values[1:], None), strict=False)
    return any((before, after) == (None, None) and value is not None for before, value, after in neighbours)


def bars(labels: Sequence[str], series: Sequence[Series]) -> bytes:
    """A chart of counts as stacked vertical bars."""
    return _render(pygal.StackedBar(**_options(labels, series, stacked=True)), series)


def horizontal_bars(labels: Sequence[str], series: Sequence[Series], *, stacked: bool = True) -> bytes:
    """A chart of horizontal bars with all labels at the side. `stacked`: the series are parts of a whole."""
    options = _options(labels, series, stacked=stacked)
    # pygal draws from the bottom up, so the order is reversed.
    options |= {"x_labels": list(reversed(labels)), "x_labels_major": None, "show_minor_x_labels": True}
    options["height"] = max(HEIGHT, 70 + len(labels) * (26 if stacked else 18 * len(series)))
    chart = pygal.HorizontalStackedBar if stacked else pygal.HorizontalBar
    bottom_up = [replace(one, values=one.values[::-1]) for one in series]
    return _render(chart(**options, margin_left=_margin(labels)), bottom_up)


def _margin(labels: Sequence[str]) -> int:
    """The left margin in pixels. pygal reserves the width of Latin letters; each Chinese one needs about 6 px more."""
    return 6 + max((6 * sum(ord(letter) > 0x2E7F for letter in label) for label in labels), default=0)


def data_url(svg: bytes) -> str:
    """The chart as a `data:` URL, for an image that only one page shows."""
    return f"data:image/svg+xml;base64,{b64encode(svg).decode()}"


def ticks(highest: float) -> list[int]:
    """At most six whole numbers from 0 to at least `highest`, with a step of 1, 2 or 5 times a power of ten."""
    step = next(step for power in count() for step in (10**power, 2 * 10**power, 5 * 10**power) if 5 * step >= highest)
    return list(range(0, max(int(-(-highest // step)), 1) * step + 1, step))


def _highest(series: Sequence[Series], *, stacked: bool) -> float:
    columns = list(zip(*(one.values for one in series), strict=True))
    heights = (sum(filter(None, column)) if stacked else max(filter(None, column), default=0) for column in columns)
    return max(heights, default=0)


def _options(
    labels: Sequence[str], series: Sequence[Series], *, whole: bool = True, stacked: bool = False
) -> dict[str, Any]:
    step = -(-len(labels) // MAX_LABELS) or 1
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "style": Style(colors=tuple(one.colour for one in series), **STYLE),
        "css": ("file://style.css", "file://graph.css", DARK),
        # pygal's default loads a script from another site; a script in an image does not run.
        "js": (), "no_prefix": True, "margin": 6, "spacing": 8, "no_data_text": _("No figures yet"),
        "x_labels": list(labels), "x_labels_major": list(labels)[::step], "show_minor_x_labels": False,
        "show_legend": len(series) > 1, "legend_at_bottom": True, "legend_box_size": 12, "truncate_legend": -1,
        "truncate_label": 24, "max_scale": 5, "include_x_axis": True,
        **({"y_labels": ticks(_highest(series, stacked=stacked))} if whole else {}),
    }  # fmt: skip


def _render(chart: Any, series: Sequence[Series]) -> bytes:
    for one in series:
        style = {"stroke_style": {"dasharray": "6, 4"}} if one.dashed else {}
        chart.add(one.name, list(one.values), **style)
    svg: bytes = chart.render()
    return svg
