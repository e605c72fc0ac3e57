"""The rule of the house: an app imports itself and what stands to its left, never to its right."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOUSE = [
    "web",
    "accounts",
    "customers",
    "catalogue",
    "dispatch",
    "orders",
    "notifications",
    "realtime",
    "health",
    "luckygas",
]


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def to_the_right(app: str, source: str) -> set[str]:
    return set(imported(source)) & set(HOUSE[HOUSE.index(app) + 1 :])


@pytest.mark.parametrize("app", HOUSE)
def test_imports_point_left(app: str) -> None:
    files = [path for path in (ROOT / app).rglob("*.py") if "tests" not in path.parts]
    assert files
    assert {str(path): found for path in files if (found := to_the_right(app, path.read_text()))} == {}


def test_imports_to_the_right_are_seen() -> None:
    assert to_the_right("orders", "def f():\n    from realtime.hub import Hub\n") == {"realtime"}
    assert to_the_right("health", "import luckygas.urls, orders.models") == {"luckygas"}
