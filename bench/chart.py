"""The chart of docs/benchmarks.md: bars on a logarithmic scale, as plain SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

LEFT, WIDTH, BAR, GAP, TOP = 300, 900, 16, 14, 50
# Where the scale begins, in the unit of the values.
SCALE_START = 0.1
COLOURS = ("#c2410c", "#0f766e")


def bars(title: str, series: Mapping[str, Mapping[str, float]], labels: Sequence[str]) -> str:
    """An SVG with a group of bars for each label, and a bar for each series, of which two at most are drawn.

    `series` has the values by series and label.
    """
    maximum = max(value for values in series.values() for value in values.values())
    height = TOP + len(labels) * (BAR * len(series) + GAP) + 10
    box = f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>'
    parts = [head, f'<rect width="{WIDTH}" height="{height}" fill="white"/>', _text(10, 20, title, weight="bold")]
    for place, (name, colour) in enumerate(zip(series, COLOURS, strict=False)):
        x = LEFT + place * 160
        parts += [f'<rect x="{x}" y="28" width="12" height="12" fill="{colour}"/>', _text(x + 18, 39, name)]
    for row, label in enumerate(labels):
        top = TOP + row * (BAR * len(series) + GAP)
        parts += [_text(LEFT - 8, top + BAR * len(series) / 2 + 4, label, anchor="end")]
        parts += _group(top, maximum, [values.get(label) for values in series.values()])
    return "\n".join([*parts, "</svg>\n"])


def _group(top: float, maximum: float, values: Sequence[float | None]) -> Iterator[str]:
    for place, (value, colour) in enumerate(zip(values, COLOURS, strict=False)):
        if value is not None:
            y, share = (
                top + place * BAR,
                math.log(max(value, SCALE_START) / SCALE_START) / math.log(maximum / SCALE_START),
            )
            width = share * (WIDTH - LEFT - 60)
            yield f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{colour}"/>'
            yield _text(LEFT + width + 6, y + BAR - 5, f"{value:.3g}")


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"'
    return f"<text {place}>{escape(text)}</text>"
