from __future__ import annotations

import re
from pathlib import Path

import pytest

from luckygas.testing import waiting

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("script", "name", "seconds"),
    [
        ("web/static/web/backoff.js", "MOST_MS", waiting.PAUSE_SECONDS),
        ("web/static/web/api.js", "LONGEST_MS", waiting.ANSWER_SECONDS),
    ],
)
def test_tests_wait_for_as_long_as_pages_take(script: str, name: str, seconds: int) -> None:
    (found,) = re.findall(rf"const {name} = ([\d_]+);", (ROOT / script).read_text())
    assert int(found) == seconds * 1_000


def test_who_waits_too_long_is_told_what_there_is(pytestconfig: pytest.Config) -> None:
    assert float(pytestconfig.getini("timeout")) > waiting.PATIENCE_SECONDS * 2
    with pytest.raises(AssertionError, match="seen"):
        waiting.wait_for(lambda: False, 0.1, lambda: "seen")
