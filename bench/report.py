"""Writes figures as JSON, as the tables of docs/benchmarks.md, and as a chart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from bench import chart
from bench.figures import Figure
from bench.goals import CPU, GOALS, Missing, Values

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, PICTURE = DOCS / "benchmarks.md", DOCS / "pictures/fanout.svg"
BEGIN, END = "<!-- figures: written by bench.run -->", "<!-- end of figures -->"


def save(figures: Sequence[Figure], machine: dict[str, str], path: Path) -> None:
    """Writes the figures and the machine as JSON."""
    content = {"machine": machine, "figures": [asdict(figure) for figure in figures]}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def load(path: Path) -> tuple[list[Figure], dict[str, str]]:
    """Reads what `save` wrote."""
    content = json.loads(path.read_text())
    return [Figure(**figure) for figure in content["figures"]], content["machine"]


def merge(new: Sequence[Figure], old: Sequence[Figure]) -> list[Figure]:
    """Returns `old` with the new figures of servers that were measured again, followed by the other new figures."""
    return [figure for row in (_rows(old) | _rows(new)).values() for figure in row]


def _rows(figures: Sequence[Figure]) -> dict[tuple[str, str], list[Figure]]:
    rows: dict[tuple[str, str], list[Figure]] = {}
    for figure in figures:
        rows.setdefault((figure.scenario, figure.server), []).append(figure)
    return rows


def write(figures: Sequence[Figure], machine: dict[str, str]) -> None:
    """Writes the tables into docs/benchmarks.md and draws the chart."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    parts = [
        machine_lines(machine),
        *goals(figures),
        f"![{CPU}]({PICTURE.relative_to(DOCS)})",
        *tables(figures),
    ]
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}")
    draw(figures, PICTURE)


def machine_lines(machine: dict[str, str]) -> str:
    """The date, the machine and the versions, as text."""
    versions = ", ".join(f"{name} {value}" for name, value in machine.items() if name not in _IN_FIRST_LINE)
    head = f"{machine['date']}. {machine['machine']}; {machine['kernel']}; load average at the start {machine['load']}."
    return f"{head}\n{versions}."


_IN_FIRST_LINE = {"date", "machine", "kernel", "load"}


def goals(figures: Sequence[Figure]) -> Iterable[str]:
    """The table of goals, with the value and the factor by which it was missed."""
    values = Values(figures)
    rows = ["| goal | wanted | measured | |", "|---|---|---|---|"]
    for goal in GOALS:
        try:
            value = goal.value(values)
        except Missing as problem:
            rows.append(f"| {goal.work} | {goal.wanted} | – | {problem} |")
            continue
        factor = goal.bound / value if goal.is_minimum and value else value / goal.bound if goal.bound else value
        result = "reached" if goal.reached(value) else f"**missed** by a factor of {factor:.2g}"
        rows.append(f"| {goal.work} | {goal.wanted} | {_number(value)} {goal.unit} | {result} |")
    return ["### Goals", "\n".join(rows)]


def tables(figures: Sequence[Figure]) -> Iterable[str]:
    """A table for each scenario, with a row for each server and a column for each figure."""
    for scenario in dict.fromkeys(figure.scenario for figure in figures):
        group = [figure for figure in figures if figure.scenario == scenario]
        names = list(dict.fromkeys(figure.name for figure in group))
        rows = ["| server | " + " | ".join(names) + " | |", "|---" * (len(names) + 2) + "|"]
        rows += [_row(server, names, group) for server in dict.fromkeys(figure.server for figure in group)]
        yield f"### {scenario[0].upper()}{scenario[1:]}\n\n" + "\n".join(rows)


def _row(server: str, names: Sequence[str], group: Sequence[Figure]) -> str:
    by_name = {figure.name: figure for figure in group if figure.server == server}
    cells = [_cell(by_name.get(name)) for name in names]
    notes = "; ".join(figure.note for figure in by_name.values() if figure.note)
    return "| " + " | ".join([server, *cells, notes]) + " |"


def _cell(figure: Figure | None) -> str:
    return "–" if figure is None or figure.value is None else f"{_number(figure.value)} {figure.unit}".strip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"


def draw(figures: Sequence[Figure], path: Path) -> None:
    """Draws the CPU time per delivery, cheapest first."""
    found = [figure for figure in figures if figure.name == CPU and figure.value is not None]
    series: dict[str, dict[str, float]] = {}
    for figure in found:
        series.setdefault(figure.scenario, {})[figure.server] = figure.value or 0.0
    cheapest = {
        server: min(values[server] for values in series.values() if server in values) for server in _servers(found)
    }
    path.write_text(chart.bars(f"{CPU}, µs (logarithmic)", series, sorted(cheapest, key=lambda name: cheapest[name])))


def _servers(figures: Sequence[Figure]) -> Iterable[str]:
    return dict.fromkeys(figure.server for figure in figures)
