from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest
import requests

from luckygas.testing.sandbox import process


def test_a_provider_that_is_named_stays() -> None:
    environment = {"SMS_GATEWAY": "console"}
    with ExitStack() as stack:
        process.with_sandbox(stack, environment, "127.0.0.1:8000")
    assert environment == {"SMS_GATEWAY": "console"}


def test_the_sandbox_runs_on_another_port_where_its_own_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"SMS_GATEWAY": ""}
    with ExitStack() as stack:
        taken = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = taken.getsockname()[1]
        monkeypatch.setattr(process, "SANDBOX_PORT", port)
        process.with_sandbox(stack, environment, "127.0.0.1:9000")
        assert not environment["MITAKE_URL"].startswith(f"http://127.0.0.1:{port}/")
        form = {"username": environment["MITAKE_USERNAME"], "password": environment["MITAKE_PASSWORD"]}
        answer = requests.post(environment["MITAKE_URL"] + "SmQuery", data=form, timeout=5)
    assert answer.text == "AccountPoint=1000\r\n"
    assert environment["SMS_CALLBACK_BASE_URL"] == "http://127.0.0.1:9000"
