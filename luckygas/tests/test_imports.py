"""An app imports only itself and the apps to its left in APPS, in Python and in JavaScript."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLResolver, get_resolver

ROOT = Path(__file__).resolve().parents[2]
APPS = [
    "web", "accounts", "customers", "catalogue", "dispatch", "orders", "importing", "notifications", "realtime",
    "pages", "health", "luckygas",
]  # fmt: skip
each_app = pytest.mark.parametrize("app", APPS)
RELATIONS = {"ForeignKey", "OneToOneField", "ManyToManyField", "get_model"}
URL_FUNCTIONS = {"reverse", "reverse_lazy", "redirect"}
JS_IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""")


def files(app: str, suffix: str = ".py") -> list[Path]:
    """Returns the app's files with this suffix, without migrations, tests and test tools (`testing/`)."""
    skipped = {"tests", "migrations", "testing"}
    found = (ROOT / app).rglob(f"*{suffix}")
    return [path for path in found if not skipped.intersection(path.relative_to(ROOT).parts)]


def imported_modules(node: ast.AST) -> Iterator[str]:
    """Yields the modules that this statement may import: a name after `from … import` may be a module too."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def url_names(resolver: URLResolver | None = None) -> dict[str, str]:
    """Returns the app by URL name. Leaves out namespaces: the names of admin URLs already contain the app."""
    found: dict[str, str] = {}
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            found |= {} if entry.namespace else url_names(entry)
        elif entry.name:
            found[entry.name] = entry.callback.__module__.partition(".")[0]
    return found


def apps_in_calls(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    """Yields the app that a call names in its first argument, if any.

    That is a relation like "orders.Order", or a URL name: one of `names`, or one like "admin:orders_order_change".
    """
    if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
        return
    function, text = node.func, str(node.args[0].value)
    name = getattr(function, "attr", getattr(function, "id", ""))
    if name in RELATIONS:
        yield text.partition(".")[0]
    elif name in URL_FUNCTIONS:
        yield text.removeprefix("admin:").partition("_")[0] if text.startswith("admin:") else names.get(text, "")


def imported_apps(source: str, names: dict[str, str] | None = None) -> set[str]:
    """Returns the packages that a module imports, and the apps that its relations and URL names refer to."""
    nodes = list(ast.walk(ast.parse(source)))
    return {
        name.partition(".")[0]
        for node in nodes
        for name in (*imported_modules(node), *apps_in_calls(node, names or {}))
    }


def apps_to_the_right(app: str) -> set[str]:
    return set(APPS[APPS.index(app) + 1 :])


@each_app
def test_modules_import_only_apps_to_the_left(app: str) -> None:
    names, right = url_names(), apps_to_the_right(app)
    assert files(app)
    found = {str(path.relative_to(ROOT)): imported_apps(path.read_text(), names) & right for path in files(app)}
    assert {path: apps for path, apps in found.items() if apps} == {}


def static_imports(path: Path, source: str) -> set[str]:
    """Returns the apps whose scripts a script imports, by a relative path or by `/static/<app>/…`."""
    parts = path.relative_to(ROOT).parts
    here = Path(*parts[parts.index("static") + 1 : -1])
    found = set()
    for imported in JS_IMPORT.findall(source):
        steps = (here / imported).parts if imported.startswith(".") else Path(imported.removeprefix("/static/")).parts
        resolved: list[str] = []
        for step in steps:
            if step == "..":
                resolved.pop()
            else:
                resolved.append(step)
        found.add(resolved[0])
    return found


@each_app
def test_scripts_import_only_apps_to_the_left(app: str) -> None:
    right = apps_to_the_right(app)
    found = {str(path.relative_to(ROOT)): static_imports(path, path.read_text()) & right for path in files(app, ".js")}
    assert {path: apps for path, apps in found.items() if apps} == {}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def statements_at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yields the statements that run when the module is imported, except those in an `except` clause."""
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from statements_at_import(node.orelse)
            continue
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for inner in ("body", "orelse", "finalbody"):
                yield from statements_at_import(getattr(node, inner, []))


def test_no_import_cycles() -> None:
    sources = {module_of(path): path for app in APPS for path in files(app)}
    graph: dict[str, set[str]] = {}
    for module, path in sources.items():
        wanted = (
            name for node in statements_at_import(ast.parse(path.read_text()).body) for name in imported_modules(node)
        )
        graph[module] = {name for name in wanted if name in sources and name != module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def imports_in_functions(tree: ast.Module) -> Iterator[str]:
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from (name for node in ast.walk(function) for name in imported_modules(node))


def test_imports_are_at_module_level() -> None:
    """Leaves out `apps.py`, which can import models only in `AppConfig.ready`."""
    found: dict[str, list[Any]] = {}
    for path in (path for app in APPS for path in files(app) if path.name != "apps.py"):
        ours = [name for name in imports_in_functions(ast.parse(path.read_text())) if name.partition(".")[0] in APPS]
        if ours:
            found[module_of(path)] = ours
    assert found == {}


def is_page(module: str) -> bool:
    return module.startswith("pages.") or not {"admin", "views"}.isdisjoint(module.split("."))


def test_pages_do_not_import_the_api() -> None:
    """Pages: the app `pages`, and every admin and views module.

    Code that they share with the API belongs next to the model or in `web/`.
    """
    sources = {module_of(path): path for app in APPS for path in files(app)}
    found: dict[str, list[str]] = {}
    for module, path in sources.items():
        wanted = [name for node in ast.walk(ast.parse(path.read_text())) for name in imported_modules(node)]
        if is_page(module) and (imported := [name for name in wanted if name in sources and "api" in name.split(".")]):
            found[module] = imported
    assert found == {}
