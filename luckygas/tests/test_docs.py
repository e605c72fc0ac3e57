"""README and docs say what there is: every setting, command, dependency and health path, and each app."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import get_commands

from luckygas.tests.test_imports import HOUSE, files

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
DESIGN = (ROOT / "docs/design.md").read_text()

OURS = set(HOUSE)


def settings_read() -> set[str]:
    return set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (ROOT / "luckygas/settings.py").read_text()))


def commands() -> set[str]:
    return {name for name, app in get_commands().items() if app in OURS}


def dependencies() -> set[str]:
    npm = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    return set(npm) | set(re.findall(r"^([\w-]+)[\[=]", (ROOT / "requirements.txt").read_text(), re.MULTILINE))


def test_there_is_something_to_document() -> None:
    assert len(settings_read()) > 10
    assert {"import_orders", "resend_sms", "demo"} <= commands()


@pytest.mark.parametrize("name", sorted(settings_read()))
def test_every_setting_is_described(name: str) -> None:
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_is_described(name: str) -> None:
    assert re.search(rf"^\| `{name}[ `]", README, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(dependencies()))
def test_every_dependency_has_its_reason(name: str) -> None:
    assert name.lower() in DESIGN.lower()


def test_settings_alone_read_the_environment() -> None:
    readers = {
        path.name
        for app in HOUSE
        for path in files(app)
        if re.search(r"os\.environ(?!\.setdefault)|getenv", path.read_text())
    }
    assert readers == set()


def test_realtime_tells_before_notifications_send() -> None:
    order = [config.name for config in apps.get_app_configs()]
    assert order.index("realtime") < order.index("notifications")


@pytest.mark.parametrize("app", HOUSE)
def test_every_app_has_its_line(app: str) -> None:
    assert re.search(rf"^\| `{app}/` \| \w", DESIGN, re.MULTILINE)


def test_the_house_is_drawn_as_it_is() -> None:
    assert " ← ".join(HOUSE) in DESIGN
    assert " ← ".join(HOUSE) in README


@pytest.mark.parametrize("page", ["README.md", "docs/design.md", "deploy/README.md", "bench/README.md"])
def test_every_file_that_is_named_is_there(page: str) -> None:
    text = (ROOT / page).read_text()
    named = re.findall(rf"`((?:{'|'.join(HOUSE)}|docs|deploy|bench|templates)/[\w./-]+\.\w+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_path_of_a_change_is_at_most_nine_files() -> None:
    (path,) = re.findall(r"^## The path of one change\n(.*?)^## ", DESIGN, re.MULTILINE | re.DOTALL)
    steps = re.findall(r"^\d+\. `([\w./]+)` — ", path, re.MULTILINE)
    assert 5 < len(steps) <= 9
    # What a step names is in its file.
    for number, file in enumerate(steps, 1):
        words = re.search(rf"^{number}\. (.*?)(?=^\d+\. |^\n)", path, re.MULTILINE | re.DOTALL)
        named = set(re.findall(r"`(\w+)`", words[1] if words else "")) - {"post_save"}
        source = (ROOT / file).read_text()
        assert {name for name in named if name not in source} == set(), file
