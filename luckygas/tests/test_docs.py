"""README and docs describe every setting, command, dependency and app, and name only existing things."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import get_commands, load_command_class

from luckygas.tests.docs import PAGES, README, ROOT, blocks, prose, text
from luckygas.tests.test_imports import APPS, files

DESIGN, SETTINGS = text("design"), text("settings")
OUR_APPS = set(APPS)
LANGUAGES = {"": "a drawing", "sh": "", "bash": "", "python": "", "js": "", "json": "", "yaml": ""}
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def settings_in_code() -> set[str]:
    return set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (ROOT / "luckygas/settings.py").read_text()))


def commands() -> set[str]:
    return {name for name, app in get_commands().items() if app in OUR_APPS}


def dependencies() -> set[str]:
    npm = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    return set(npm) | set(re.findall(r"^([\w-]+)[\[=]", (ROOT / "requirements.txt").read_text(), re.MULTILINE))


def test_settings_and_commands_of_the_code_are_found() -> None:
    assert len(settings_in_code()) > 10
    assert {"import_orders", "resend_sms", "demo"} <= commands()


@pytest.mark.parametrize("name", sorted(settings_in_code()))
def test_every_setting_is_described(name: str) -> None:
    assert re.search(rf"^\|[^|]*`{name}`[^|]*\|", SETTINGS, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_and_option_is_described(name: str) -> None:
    found = re.search(rf"^\| `{name}([ `].*)$", SETTINGS, re.MULTILINE)
    assert found is not None
    own = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    usual = load_command_class("django.core", "flush").create_parser("manage.py", "flush")
    theirs = {option for action in usual._actions for option in action.option_strings}
    options = {action.option_strings[0] for action in own._actions if action.option_strings} - theirs
    assert {option for option in options if option not in found[1]} == set()
    assert set(re.findall(r"--[a-z-]+", found[1].split("`")[0])) <= options


@pytest.mark.parametrize("name", sorted(dependencies()))
def test_design_page_names_every_dependency(name: str) -> None:
    assert name.lower() in DESIGN.lower()


def test_browser_example_names_all_client_options() -> None:
    options = re.findall(r"@property .+ \[(\w+)\]", (ROOT / "realtime/static/realtime/client.js").read_text())
    (named,) = re.findall(r"new LuckyGasSocket\([^,]+, \{ (.+) \}\); // also: (.+)", text("realtime"))
    assert options
    assert sorted(", ".join(named).split(", ")) == sorted(options)


def test_only_settings_read_the_environment() -> None:
    readers = {
        path.name
        for app in APPS
        for path in files(app)
        if re.search(r"os\.environ(?!\.setdefault)|getenv", path.read_text())
    }
    assert readers == set()


def test_realtime_comes_before_notifications_in_installed_apps() -> None:
    order = [config.name for config in apps.get_app_configs()]
    assert order.index("realtime") < order.index("notifications")


@pytest.mark.parametrize("app", APPS)
def test_every_app_is_described(app: str) -> None:
    for page in (DESIGN, README.read_text()):
        assert re.search(rf"^\| `{app}/` \| \w", page, re.MULTILINE)
        assert " ← ".join(APPS) in page


def test_readme_is_short() -> None:
    readme = README.read_text()
    assert readme.count("\n") <= 160
    assert len(readme.split()) <= 1800


@by_page
def test_links_resolve(page: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)|<img src=\"([^\"]+)\"", prose(page))
    broken = [link for link in map("".join, links) if not link_resolves(page, link)]
    assert broken == []


def link_resolves(page: Path, link: str) -> bool:
    path, _hash, heading = link.partition("#")
    target = page.parent / path if path else page
    return link.startswith("https://") or (target.exists() and (not heading or heading in headings(target)))


def headings(page: Path) -> set[str]:
    """Returns the headings as GitHub's anchors."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_readme_links_every_page_and_pages_show_every_picture() -> None:
    readme, everything = README.read_text(), "".join(page.read_text() for page in PAGES)
    assert [page.name for page in PAGES if page != README and f"(docs/{page.name})" not in readme] == []
    assert [
        image.name for image in (ROOT / "docs/pictures").iterdir() if f"pictures/{image.name}" not in everything
    ] == []


@by_page
def test_named_files_exist(page: Path) -> None:
    named = re.findall(rf"`((?:{'|'.join(APPS)}|docs|deploy|bench|templates|types)/[\w./-]+\.\w+)`", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []


@by_page
def test_named_make_targets_and_tests_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`|=\S+ )make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named <= targets
    tests = re.findall(r"-m pytest (\S+\.py)", page.read_text())
    assert [test for test in tests if not (ROOT / test).exists()] == []


@by_page
def test_named_commands_exist(page: Path) -> None:
    named = set(re.findall(r"(?:^|`|&& )(?:luckygas|manage\.py) ([a-z_]+)", page.read_text(), re.MULTILINE))
    assert named - set(get_commands()) <= {"backup", "restore"}


@by_page
def test_code_blocks_have_a_known_language(page: Path) -> None:
    """The language selects the test: `sh` blocks run on the demo (test_run), `bash` blocks get a syntax check here.

    Only drawings have no language.
    """
    assert {block.language for block in blocks(page)} <= LANGUAGES.keys()
    for block in blocks(page):
        if block.language == "bash":
            checked = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
            assert (checked.returncode, checked.stderr) == (0, ""), block.text
        if not block.language:
            assert not re.search(r"^(?:curl|make|\$) ", block.text, re.MULTILINE), block.text


def test_make_help_describes_every_target() -> None:
    output = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    phony = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    assert {line.split()[1] for line in output.splitlines()} == set(phony)
    assert all(len(line.split(maxsplit=2)) == 3 for line in output.splitlines())


@pytest.mark.parametrize("page", ["README", "docs/office"])
def test_bold_labels_are_in_the_catalogues(page: str) -> None:
    """Bold texts in the docs are labels of pages, so the catalogues contain them in English."""
    catalogues = (ROOT / "locale/zh_Hant/LC_MESSAGES").glob("*.po")
    known = {label for one in catalogues for label in re.findall(r'^msgid "(.+)"$', one.read_text(), re.MULTILINE)}
    bold = re.findall(r"(?<=[ :(])\*\*([^*]+)\*\*(?=[ ,.;:)])", (ROOT / f"{page}.md").read_text())
    assert len(bold) > 5
    assert {label for label in bold if label not in known} == set()


def test_path_of_a_change_has_six_to_nine_files_with_the_named_code() -> None:
    (path,) = re.findall(r"^## The path of one change\n(.*?)^## ", DESIGN, re.MULTILINE | re.DOTALL)
    steps = re.findall(r"^\d+\. `([\w./]+)` — ", path, re.MULTILINE)
    assert 5 < len(steps) <= 9
    # Each file contains the names of its step.
    for number, file in enumerate(steps, 1):
        words = re.search(rf"^{number}\. (.*?)(?=^\d+\. |^\n)", path, re.MULTILINE | re.DOTALL)
        named = set(re.findall(r"`(\w+)`", words[1] if words else "")) - {"post_save"}
        source = (ROOT / file).read_text()
        assert {name for name in named if name not in source} == set(), file
