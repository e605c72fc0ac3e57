"""`manage.py sms_sandbox`: its output, its options, and several sandboxes at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from django.core.management import CommandError, call_command

from luckygas.testing.sandbox.process import SandboxServer
from luckygas.testing.sandbox.server import Sandbox
from notifications.tests.child import ROOT


def test_command_prints_its_url_and_stops_silently_on_ctrl_c() -> None:
    # This database cannot be opened, which shows that the command needs none.
    with subprocess.Popen(
        [sys.executable, "manage.py", "sms_sandbox", "--port", "0", "--balance", "7"],
        cwd=ROOT, env=os.environ | {"DATABASE_URL": "sqlite:////nowhere/db"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        url = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
        form = {"username": "sandbox", "password": "sandbox-password", "dstaddr": "0912345678", "smbody": "gas"}
        answer = requests.post(f"{url}mitake/SmSend", data=form, timeout=5)
        assert "AccountPoint=6" in answer.text
        assert "0912-345-678" in requests.get(url, timeout=5).text
        process.send_signal(signal.SIGINT)
        assert process.stdout.read().strip() == ""
    assert process.returncode == 0


def test_taken_port_is_reported(sandbox: Sandbox) -> None:
    port = sandbox.url.rpartition(":")[2]
    with pytest.raises(CommandError, match=port):
        call_command("sms_sandbox", "--port", port)


@pytest.mark.parametrize("text", ["http://127.0.0.1/", "http=http://127.0.0.1/", "mitake=http://192.0.2.1/", "mitake="])
def test_invalid_or_remote_callback_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="mitake=http://127"):
        call_command("sms_sandbox", "--callback", text)


def test_sandboxes_started_at_once_use_different_ports() -> None:
    first, second = SandboxServer(), SandboxServer()
    with ThreadPoolExecutor(2) as threads:
        try:
            # A process ends when the thread that started it ends. So these threads live until the end of the test.
            list(threads.map(SandboxServer.start, (first, second)))
            assert first.port != second.port
            assert all(requests.get(server.url, timeout=5).ok for server in (first, second))
        finally:
            first.stop()
            second.stop()
