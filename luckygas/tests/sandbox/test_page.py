from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from luckygas.testing.sandbox.faults import Fault, Kind
from luckygas.testing.sandbox.server import Sandbox


def page(sandbox: Sandbox, path: str = "/", language: str = "en") -> str:
    answer = requests.get(sandbox.url + path, headers={"Accept-Language": language}, timeout=5)
    assert answer.status_code == 200
    return answer.text


@pytest.mark.parametrize("path", ["/", "/bubbles"])
def test_it_shows_what_the_telephones_got_the_newest_first(sandbox: Sandbox, path: str) -> None:
    sandbox.operator.take("http", "0912345678", "first <b>")
    sandbox.operator.take("every8d", "0912345678", "second")
    shown = page(sandbox, path)
    assert 0 < shown.index("second") < shown.index("first &lt;b&gt;")
    assert "0912-345-678" in shown
    assert "Balance: 998 points" in shown


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("即時位置 http://127.0.0.1:8000/t/abcd1234。", ["http://127.0.0.1:8000/t/abcd1234"]),
        ("(https://lg.tw/t/a?x=1&y=2), https://lg.tw/t/b!", ["https://lg.tw/t/a?x=1&amp;y=2", "https://lg.tw/t/b"]),
        ("see https://evil.example/t/a", []),
        ("http://127.0.0.1@evil.example/ http://lg.tw.evil.example/", []),
        ("http://evil.example@127.0.0.1/", []),
        ("javascript:alert(1) ftp://lg.tw/ http://[::1/ lg.tw/t/a", []),
        ('http://lg.tw/<script>alert(1)</script>"onclick=x', ["http://lg.tw/"]),
    ],
)
def test_links_to_the_site_can_be_opened_and_no_others(
    sandbox: Sandbox, settings: Any, text: str, links: list[str]
) -> None:
    settings.SMS_LINK_HOSTS = ["lg.tw"]
    sandbox.operator.take("http", "0912345678", text)
    shown = page(sandbox, "/bubbles")
    assert re.findall(r'<a href="([^"]*)" target="_blank" rel="noopener noreferrer">', shown) == links
    assert "<script>" not in shown


def test_it_speaks_the_readers_language(sandbox: Sandbox) -> None:
    assert '<html lang="en">' in page(sandbox)
    assert '<html lang="zh-hant">' in page(sandbox, language="zh-TW")
    assert '<html lang="zh-hant">' in page(sandbox, "/?lang=zh-hant")


def test_it_says_which_fault_there_is(sandbox: Sandbox) -> None:
    sandbox.operator.faults.set(Fault(Kind.HUGE, times=3))
    assert "Fault: answers ten megabytes</strong>" in page(sandbox).replace(" × 3", "")


def test_what_is_not_there_is_404(sandbox: Sandbox) -> None:
    assert requests.get(f"{sandbox.url}/admin", timeout=5).status_code == 404
