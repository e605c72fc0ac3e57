from __future__ import annotations

import re
import subprocess
import sys

import pytest

from web import charts
from web.charts import GREEN, RED, Series


def texts(svg: bytes) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.decode())


def test_missing_values_leave_a_gap_in_the_line() -> None:
    def strokes(*values: float | None) -> int:
        return len(re.findall(r'<path d="[^"]*" class="line', charts.lines("abcde", [Series("a", values)]).decode()))

    assert (strokes(1, 2, 3, 4, 5), strokes(1, 2, None, 4, 5)) == (1, 2)


def test_value_between_two_gaps_has_a_dot() -> None:
    def dots(*values: float | None) -> int:
        drawn = charts.lines([str(number) for number in range(len(values))], [Series("a", values)])
        return drawn.count(b'class="dot ')

    many = (1,) * charts.MAX_DOTS
    assert (dots(*many, 1, 1, 1), dots(*many, None, 5, None), dots(*many, None, 5)) == (0, 32, 32)


def test_chart_of_many_values_shows_only_some_labels() -> None:
    labels = [f"09:{minute:02d}" for minute in range(60)]
    shown = texts(charts.bars(labels, [Series("a", tuple(range(60)))]))
    assert 3 <= len([text for text in shown if text in labels]) <= charts.MAX_LABELS


def test_several_series_have_a_legend() -> None:
    drawn = texts(charts.bars("ab", [Series("已送達", (1, 2), GREEN), Series("失敗", (0, 1), RED)]))
    assert {"已送達", "失敗"} <= set(drawn)
    assert "已送達" not in texts(charts.bars("ab", [Series("已送達", (1, 2))]))


def test_horizontal_bars_are_ordered_top_down() -> None:
    drawn = charts.horizontal_bars(["陳", "林"], [Series("a", (1, 2)), Series("b", (3, 4))], stacked=False).decode()
    heights = {name: float(y) for y, name in re.findall(r'<text[^>]* y="([0-9.]+)"[^>]*>([陳林])</text>', drawn)}
    assert heights["陳"] < heights["林"]


@pytest.mark.parametrize("labels", [[], ["a"], ["a"] * 366])
def test_chart_renders_with_0_1_or_366_labels(labels: list[str]) -> None:
    for draw in (charts.lines, charts.bars, charts.horizontal_bars):
        assert b"</svg>" in draw(labels, [Series("a", (0,) * len(labels)), Series("b", (None,) * len(labels))])


def test_chart_has_no_script_and_no_external_link() -> None:
    drawn = charts.lines("ab", [Series("<script>", (1, 2)), Series("b", (1, 2))]).decode()
    assert "<script>" not in drawn.replace("<script type=", "")
    assert not re.search(r"(href|src)=.?(https?:)?//", drawn)


def test_pygal_import_hook_is_removed() -> None:
    code = "import web.charts, warnings; warnings.simplefilter('error')\ntry: import no_such\nexcept ImportError: 0"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


@pytest.mark.parametrize(
    ("highest", "expected"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (4, [0, 1, 2, 3, 4]),
        (7, [0, 2, 4, 6, 8]),
        (149, [0, 50, 100, 150]),
        (12.5, [0, 5, 10, 15]),
    ],
)
def test_ticks_are_few_whole_numbers_from_zero(highest: float, expected: list[int]) -> None:
    assert charts.ticks(highest) == expected
