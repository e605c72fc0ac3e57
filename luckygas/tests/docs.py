"""Reads README and `docs/` for tests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. Language `sh`: commands that tests run on the demo; `bash`: commands for production."""

    language: str
    text: str


def text(page: str) -> str:
    """Returns the text of a page: of `docs/settings.md` for "settings"."""
    return (ROOT / f"docs/{page}.md").read_text()


def blocks(page: Path) -> list[Block]:
    return [Block(language, body) for language, body in FENCED.findall(page.read_text())]


def prose(page: Path) -> str:
    """Returns the text without fenced blocks."""
    return FENCED.sub("", page.read_text())
