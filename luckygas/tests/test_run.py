"""`make run`: the ten minutes of README, over HTTP, and the commands in `docs/`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from luckygas.testing.demo_site import DemoSite
from luckygas.testing.servers import running
from luckygas.testing.waiting import PATIENCE_SECONDS, wait_for
from luckygas.tests.docs import PAGES, README, Block, blocks

# Separates the output of two blocks.
SEPARATOR = "--- next block ---"
# The addresses of site and sandbox in the docs.
ADDRESS, PHONES = "127.0.0.1:8000", "http://127.0.0.1:8025"


@pytest.fixture(scope="module")
def run() -> Iterator[DemoSite]:
    """The demo site, shared because its start takes a while. Checks at the end that Ctrl-C stops all processes."""
    with running(DemoSite()) as server:
        yield server
        assert server.process is not None
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        assert len(children) == 3
        assert server.kill(signal.SIGINT) == 0
        assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


class DemoUser:
    """A user of the demo with an API client."""

    def __init__(self, run: DemoSite, name: str) -> None:
        self.root = f"{run.url}/api/v1"
        self.session = requests.Session()
        form_data = {"username": name, "password": f"{name}-demo"}
        self.session.headers["Authorization"] = f"Bearer {self.request('post', 'auth/token', form_data)['access']}"

    def request(self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        url = f"{self.root}/{path}/"
        answer = self.session.request(method, url, json=body, params=query, timeout=PATIENCE_SECONDS)
        assert answer.ok, answer.text
        return answer.json()

    def move(self, order: int, status: str, **more: Any) -> None:
        self.request("patch", f"orders/{order}/status", {"status": status, **more})


def texts(run: DemoSite) -> dict[str, dict[str, Any]]:
    """Returns the messages on the customers' telephones, by text."""
    shown = requests.get(f"{run.phones}/control", timeout=PATIENCE_SECONDS).json()["messages"]
    return {message["text"]: message for message in shown}


def wait_for_sms(run: DemoSite, *parts: str) -> str:
    """Waits for an SMS that contains all `parts` and returns its text."""
    found = wait_for(lambda: [text for text in texts(run) if all(part in text for part in parts)])
    return str(found[0])


def page(url: str) -> str:
    answer = requests.get(url, headers={"Accept-Language": "en"}, timeout=PATIENCE_SECONDS)
    assert answer.status_code == 200
    return answer.text


def test_ten_minutes_of_readme_work(run: DemoSite) -> None:
    readme = README.read_text()
    office, driver = DemoUser(run, "office"), DemoUser(run, "driver3")
    search_text = re.findall(r"Type `(.+?)`", readme)[0]
    (order,) = office.request("get", "orders", q=search_text, status="pending")["results"]
    office.move(order["id"], "confirmed")
    confirmed = wait_for_sms(run, order["order_number"])
    wait_for(lambda: texts(run)[confirmed]["state"] == "delivered")
    receipts = {"order": order["id"], "status": "delivered"}
    wait_for(lambda: office.request("get", "notifications", **receipts)["count"] == 1)

    name = re.findall(r"to the driver (\w+)", readme)[0]
    (free,) = [one for one in office.request("get", "drivers")["results"] if one["name"] == name]
    office.move(order["id"], "assigned", driver=free["id"])
    assert order["id"] in [stop["id"] for stop in driver.request("get", "orders", status="assigned")["results"]]
    driver.move(order["id"], "delivering")
    link = re.findall(r"https?://\S+", wait_for_sms(run, order["order_number"], "/t/"))[0]
    assert 'data-status="delivering"' in page(link)
    driver.move(order["id"], "arriving")
    driver.request("post", f"orders/{order['id']}/confirm-delivery", {"confirmation_type": "manual"})
    assert 'class="card receipt"' in page(link)

    day = order["scheduled_date"]
    figures = office.request("get", "orders/statistics", **{"from": day, "to": day})
    assert {one["name"]: one["delivered"] for one in figures["by_driver"]}[name] == 1


def pages_with_commands(language: str = "sh") -> list[Path]:
    return [page for page in PAGES if page != README and any(block.language == language for block in blocks(page))]


@pytest.mark.parametrize("page", pages_with_commands(), ids=lambda page: page.name)
def test_commands_in_docs_run_and_answer_as_shown(run: DemoSite, page: Path) -> None:
    """Runs the commands of a page in order in one shell, as a reader would."""
    shown = [block for block in blocks(page) if block.language in ("sh", "json")]
    script = f"echo '{SEPARATOR}'\n".join(block.text for block in shown if block.language == "sh")
    script_here = script.replace(ADDRESS, run.address).replace(PHONES, run.phones)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script_here],
        env=os.environ | {"no_proxy": "127.0.0.1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    printed = iter(done.stdout.split(f"{SEPARATOR}\n"))
    for block, after in zip(shown, [*shown[1:], None], strict=True):
        if block.language == "sh":
            check(next(printed), after)


def check(printed: str, after: Block | None) -> None:
    """Checks the JSON lines that one block printed.

    The last must have the shape of the example that follows on the page. Without an example no line may be an error.
    """
    answers = [json.loads(line) for line in printed.splitlines() if line]
    assert answers
    if after is not None and after.language == "json":
        assert_like(json.loads(after.text), answers[-1])
    else:
        assert not any("errors" in answer for answer in answers)


def assert_like(example: Any, answer: Any) -> None:
    """Checks that the answer has the example's names and types, and its values of status, code, type and detail."""
    if isinstance(example, dict):
        assert example.keys() <= answer.keys(), (example.keys(), answer.keys())
        for name, value in example.items():
            assert_like(value, answer[name])
            assert name not in ("status", "code", "type", "detail") or value == answer[name]
    elif isinstance(example, list):
        assert bool(example) == bool(answer)
        for value in example:
            assert_like(value, answer[0])
    elif example is not None:
        assert isinstance(answer, type(example)), (example, answer)


def test_log_begins_with_accounts_and_masks_secrets(run: DemoSite) -> None:
    office = DemoUser(run, "office")
    order = office.request("get", "orders", status="pending", q="0900")["results"][0]
    office.move(order["id"], "confirmed")
    wait_for_sms(run, order["order_number"])
    # The log has the lines of all processes. Waits for the callback's line in the access log.
    wait_for(lambda: "/callbacks/<slug:gateway>/<str:secret>/" in run.log.read_text())
    log = run.log.read_text()
    assert "office-demo" in log.split("Ctrl-C stops it.")[0]
    assert "sandbox-password" not in log
    assert not [m["phone"] for m in texts(run).values() if m["phone"].removeprefix("+886") in log.replace("-", "")]
