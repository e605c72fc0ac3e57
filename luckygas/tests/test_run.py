"""`make run` as a process: a newcomer confirms an order, and sees the telephone's side."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from luckygas.testing.servers import Server, running
from luckygas.testing.site import ROOT
from luckygas.testing.waiting import PATIENCE_SECONDS, wait_for

PHONES = "The customers' telephones: "


class Run(Server):
    """On an empty database of its own."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "luckygas.testing.run", "--address", f"127.0.0.1:{self.port}"]

    def environment(self) -> dict[str, str]:
        own = {"DATABASE_URL": f"sqlite:///{self.directory}/db.sqlite3", "PYTHONPATH": str(ROOT), "REDIS_URL": ""}
        return os.environ | own | {"SMS_GATEWAY": ""}

    @property
    def sandbox(self) -> str:
        return self.log.read_text().partition(PHONES)[2].partition("/\n")[0]


@pytest.fixture
def run() -> Iterator[Run]:
    with running(Run()) as server:
        yield server


def signed_in(run: Run) -> requests.Session:
    session = requests.Session()
    who = {"username": "office", "password": "office-demo"}
    answer = session.post(f"http://127.0.0.1:{run.port}/api/v1/auth/token/", json=who, timeout=PATIENCE_SECONDS)
    session.headers["Authorization"] = f"Bearer {answer.json()['access']}"
    return session


def test_a_confirmed_order_rings_a_telephone_and_its_receipt_comes_back(run: Run) -> None:
    api = f"http://127.0.0.1:{run.port}/api/v1"
    with signed_in(run) as office:

        def get(path: str, **query: Any) -> Any:
            return office.get(f"{api}/{path}/", params=query, timeout=PATIENCE_SECONDS).json()

        order = get("orders", status="pending")["results"][0]
        office.patch(f"{api}/orders/{order['id']}/status/", json={"status": "confirmed"}, timeout=PATIENCE_SECONDS)
        (message,) = wait_for(lambda: get("notifications", order=order["id"], status="delivered,suppressed")["results"])
        texts = {
            m["text"]: m for m in requests.get(f"{run.sandbox}/control", timeout=PATIENCE_SECONDS).json()["messages"]
        }
        # The day that the demo plays went there as well.
        assert len(texts) > 1
        assert texts[message["content"]]["state"] == "delivered"
    assert run.process is not None
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()
    assert len(children) == 3
    # Its access log and all its processes'.
    wait_for(lambda: "/callbacks/<slug:gateway>/<str:secret>/" in run.log.read_text())
    log = run.log.read_text()
    assert "sandbox-password" not in log
    assert message["recipient"][-3:] in log
    assert not [m["phone"] for m in texts.values() if m["phone"].removeprefix("+886") in log.replace("-", "")]
    assert run.kill(signal.SIGINT) == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
