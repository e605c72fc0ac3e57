from __future__ import annotations

import runpy
import secrets
import shutil
from pathlib import Path

import pytest

from luckygas import settings as module


def test_a_key_is_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BASE_DIR", tmp_path)
    key = module.local_secret()
    (file,) = tmp_path.iterdir()
    assert (module.local_secret(), len(key) > 50, file.stat().st_mode & 0o777) == (key, True, 0o600)


def test_two_processes_at_once_have_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BASE_DIR", tmp_path)
    draw, keys = secrets.token_urlsafe, list[str]()

    def meanwhile(length: int) -> str:
        """The other process comes between the first one's look and its writing."""
        monkeypatch.setattr(secrets, "token_urlsafe", draw)
        keys.append(module.local_secret())
        return draw(length)

    monkeypatch.setattr(secrets, "token_urlsafe", meanwhile)
    keys.append(module.local_secret())
    assert keys[0] == keys[1] != ""


def test_reading_the_settings_writes_nothing(tmp_path: Path) -> None:
    """The tree may be read-only where the environment names the key."""
    copy = tmp_path / "luckygas" / "settings.py"
    copy.parent.mkdir()
    shutil.copy(str(module.__file__), copy)
    runpy.run_path(str(copy))
    assert list(tmp_path.iterdir()) == [copy.parent]
