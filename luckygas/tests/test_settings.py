from __future__ import annotations

import runpy
import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.test import AsyncClient

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


async def test_static_files_are_served_where_none_were_collected(tmp_path: Path, settings: Any) -> None:
    settings.STATIC_ROOT = tmp_path / "absent"
    answer = await AsyncClient().get("/static/orders/site.css")
    assert answer.status_code == 200


async def test_a_browser_asks_each_time_whether_its_module_is_the_present_one() -> None:
    first = await AsyncClient().get("/static/realtime/client.js")
    assert first.headers["Cache-Control"] == "max-age=0, public"
    unchanged = {"If-Modified-Since": first.headers["Last-Modified"]}
    again = await AsyncClient().get("/static/realtime/client.js", headers=unchanged)
    assert again.status_code == 304
