"""`deploy/serve.py`: when nginx may reach an app server, and when no more."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from luckygas.testing.deployed import AppServer
from luckygas.testing.waiting import wait_for
from luckygas.tests.test_serve import children

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]
WAIT_SECONDS = 20


@contextmanager
def launched(directory: Path, **extra: str) -> Iterator[AppServer]:
    server = AppServer(1, directory, **extra)
    try:
        server.launch()
        yield server
    finally:
        print(server.log.read_text(errors="replace"))
        server.stop()


def until_logged(server: AppServer, words: str) -> None:
    wait_for(lambda: words in server.log.read_text(), say=server.log.read_text)


def test_a_server_that_is_not_ready_is_out_of_reach(tmp_path: Path) -> None:
    with launched(tmp_path, DATABASE_URL="postgres://nobody@127.0.0.1:1/none") as server:
        until_logged(server, "/health/ready")
        assert not (tmp_path / "1.sock").exists()
        assert server.says() == b""
        assert server.end() == 0


def test_a_server_is_in_reach_until_it_stops(tmp_path: Path) -> None:
    (tmp_path / "1.sock").touch()  # left by one that was killed
    (tmp_path / "hosts").write_text("gas.example.tw,www.gas.example.tw\n")
    with launched(tmp_path, ALLOWED_HOSTS_FILE=str(tmp_path / "hosts")) as server:
        server.wait()
        assert (tmp_path / "1.sock").is_socket()
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        while (tmp_path / "1.sock").exists():
            time.sleep(0.01)
        # What nginx sent before is still taken.
        assert server.process.poll() is None
        assert server.process.wait(WAIT_SECONDS) == 0


@pytest.mark.long
def test_a_server_whose_uvicorn_died_ends_too(tmp_path: Path) -> None:
    with launched(tmp_path) as server:
        server.wait()
        assert server.process is not None
        (uvicorn,) = children(server.process.pid)
        os.kill(uvicorn, signal.SIGKILL)
        assert server.process.wait(WAIT_SECONDS) != 0
        assert not (tmp_path / "1.sock").exists()
