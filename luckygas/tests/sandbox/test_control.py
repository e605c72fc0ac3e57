from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from luckygas.testing.sandbox.faults import Fault, Kind, On
from luckygas.testing.sandbox.receipts import ReceiptPolicy
from luckygas.testing.sandbox.server import Sandbox
from notifications.states import Status


def control(sandbox: Sandbox, **wish: Any) -> requests.Response:
    return requests.post(f"{sandbox.url}/control", json=wish, timeout=5)


def test_a_fault_is_set_and_cleared(sandbox: Sandbox) -> None:
    assert control(sandbox, fault="refuse", times=3, code="k", on="ask", taken=False).status_code == 200
    assert sandbox.operator.faults.now == Fault(Kind.REFUSE, times=3, code="k", on=On.ASK, taken=False)
    said = control(sandbox, fault=None).json()
    assert said["fault"] is None
    assert sandbox.operator.faults.next(On.ASK) is None


def test_what_becomes_of_messages_is_set(sandbox: Sandbox) -> None:
    control(sandbox, outcome="expired", delay=0.5, times=2, jumbled=True)
    assert sandbox.operator.receipts.policy == ReceiptPolicy(Status.EXPIRED, 0.5, 2, jumbled=True)
    control(sandbox, outcome="")
    assert sandbox.operator.receipts.policy.outcome is None


@pytest.mark.parametrize(
    "wish",
    [
        {}, {"fault": "fire"}, {"fault": "hang", "times": 0.2}, {"fault": "hang", "times": -1},
        {"fault": "slow", "seconds": 61}, {"fault": "slow", "seconds": float("nan")}, {"fault": "hang", "on": "x"},
        {"fault": ["x"]}, {"outcome": "pending"}, {"outcome": "delivered", "times": 1001}, {"outcome": ["delivered"]},
        {"message": 1, "outcome": "delivered"}, {"message": None}, {"message": {}},
        {"fault": "hang", "times": 1e400}, {"outcome": "delivered", "times": 1e400}, {"message": 1e400},
    ],
)  # fmt: skip
def test_what_is_not_understood_changes_nothing(sandbox: Sandbox, wish: dict[str, Any]) -> None:
    before = sandbox.operator.receipts.policy
    # Not `json=`: that refuses NaN.
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{sandbox.url}/control", data=json.dumps(wish), headers=headers, timeout=5)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert (sandbox.operator.faults.now, sandbox.operator.receipts.policy) == (None, before)


def test_a_message_without_what_becomes_of_it_is_refused(sandbox: Sandbox) -> None:
    sandbox.operator.take("mitake", "0912345678", "瓦斯")
    answer = control(sandbox, message=1)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 20_000])
def test_what_is_no_object_is_refused(sandbox: Sandbox, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert requests.post(f"{sandbox.url}/control", data=body, headers=headers, timeout=5).status_code == 400


def test_it_says_what_the_telephones_got(sandbox: Sandbox) -> None:
    sandbox.operator.take("mitake", "0912345678", "瓦斯" * 40)
    (message,) = requests.get(f"{sandbox.url}/control", timeout=5).json()["messages"]
    assert (message["number"], message["provider"], message["phone"]) == (1, "mitake", "+886912345678")
    assert (message["segments"], message["state"], message["receipts"]) == (2, "sent", 0)


def test_the_form_of_the_page_leads_back_to_it(sandbox: Sandbox) -> None:
    form = {"fault": "hang", "times": "", "lang": "en"}
    answer = requests.post(f"{sandbox.url}/control", data=form, timeout=5, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?lang=en")
    assert sandbox.operator.faults.now == Fault(Kind.HANG)
