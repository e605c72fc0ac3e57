"""The sandbox as a server: its faults on the wire, and what it refuses."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from luckygas.testing.sandbox.faults import Fault, Kind, On
from luckygas.testing.sandbox.server import HUGE_BYTES, Sandbox

HEADERS = {"Authorization": "Bearer sandbox-key"}
BODY = {"phone": "0912345678", "message": "瓦斯"}


def send(sandbox: Sandbox, seconds: float = 5, key: str = "") -> requests.Response:
    headers = HEADERS | {"Idempotency-Key": key}
    return requests.post(f"{sandbox.url}/sms", json=BODY, headers=headers, timeout=seconds)


def taken(sandbox: Sandbox) -> int:
    return len(sandbox.operator.telephones.all())


@pytest.mark.parametrize(("kind", "count"), [(Kind.DROP_BEFORE, 0), (Kind.DROP_AFTER, 1), (Kind.HANG, 1)])
def test_no_answer(sandbox: Sandbox, kind: Kind, count: int) -> None:
    sandbox.operator.faults.set(Fault(kind, times=1))
    with pytest.raises((requests.ConnectionError, requests.ReadTimeout)):
        send(sandbox, 0.3)
    assert taken(sandbox) == count
    assert send(sandbox).status_code == 200


@pytest.mark.parametrize(("kind", "begin"), [(Kind.HTML, b"<!DOCTYPE"), (Kind.GARBAGE, b"\0\1"), (Kind.HUGE, b"xx")])
def test_an_answer_of_no_use(sandbox: Sandbox, kind: Kind, begin: bytes) -> None:
    sandbox.operator.faults.set(Fault(kind))
    answer = send(sandbox)
    assert (answer.status_code, answer.content[: len(begin)]) == (200, begin)
    assert (kind == Kind.HUGE) == (len(answer.content) == HUGE_BYTES)
    assert taken(sandbox) == 1


def test_an_answer_that_comes_twice(sandbox: Sandbox) -> None:
    sandbox.operator.faults.set(Fault(Kind.TWICE, on=On.ASK))
    with socket.create_connection(("127.0.0.1", int(sandbox.url.rpartition(":")[2])), 5) as client:
        client.sendall(b"GET /sms/health HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer sandbox-key\r\n\r\n")
        assert client.makefile("rb").read().count(b"HTTP/1.0 200") == 2


def test_a_slow_answer(sandbox: Sandbox) -> None:
    sandbox.operator.faults.set(Fault(Kind.SLOW, seconds=0.3))
    begun = time.monotonic()
    assert send(sandbox).json()["message_id"]
    assert time.monotonic() - begun >= 0.3


def test_a_fault_of_sending_spares_questions_and_the_other_way_round(sandbox: Sandbox) -> None:
    sandbox.operator.faults.set(Fault(Kind.REFUSE, times=1, code="503"))
    assert requests.get(f"{sandbox.url}/sms/health", headers=HEADERS, timeout=5).status_code == 200
    assert send(sandbox).status_code == 503
    sandbox.operator.faults.set(Fault(Kind.REFUSE, code="503", on=On.ASK))
    assert send(sandbox).status_code == 200
    assert requests.get(f"{sandbox.url}/sms/health", headers=HEADERS, timeout=5).status_code == 503


def test_a_fault_that_takes_nothing(sandbox: Sandbox) -> None:
    sandbox.operator.faults.set(Fault(Kind.HTML, code="502", taken=False))
    assert send(sandbox).status_code == 502
    assert taken(sandbox) == 0


def test_one_key_from_many_clients_at_once_is_one_message(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(16) as clients:
        said = list(clients.map(lambda _: send(sandbox, key="k").json(), range(64)))
    assert [answer["duplicate"] for answer in said].count(False) == 1
    assert (taken(sandbox), sandbox.operator.telephones.balance) == (1, 999)


def test_what_hangs_is_let_go_when_it_stops() -> None:
    with Sandbox() as sandbox:
        sandbox.operator.faults.set(Fault(Kind.HANG))
        client = threading.Thread(target=lambda: pytest.raises(requests.ConnectionError, send, sandbox, 30))
        client.start()
        while not taken(sandbox):
            time.sleep(0.01)
    client.join(5)
    assert not client.is_alive()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "sms.example.com"}, 403),
        ({"Origin": "http://example.com"}, 403),
        ({"Content-Length": "x"}, 411),
        ({"Content-Length": "65537"}, 413),
        ({"Content-Length": "9" * 30}, 413),
    ],
)
def test_what_is_not_for_it(sandbox: Sandbox, headers: dict[str, str], status: int) -> None:
    request = requests.Request("POST", f"{sandbox.url}/control", headers=headers, data=b"fault=hang").prepare()
    request.headers.update(headers)
    with requests.Session() as session:
        assert session.send(request, timeout=5).status_code == status
    assert sandbox.operator.faults.now is None


def test_too_many_fields_are_refused(sandbox: Sandbox) -> None:
    answer = requests.post(f"{sandbox.url}/mitake/SmSend", data="a=1&" * 200, timeout=5)
    assert answer.status_code == 400


def test_the_newest_thousand_are_kept(sandbox: Sandbox) -> None:
    sandbox.operator.telephones.balance = 2000
    for number in range(1100):
        sandbox.operator.take("http", "0912345678", str(number), key=str(number))
    kept = [sent.text for sent in sandbox.operator.telephones.all()]
    assert (len(kept), kept[0], kept[-1]) == (1000, "100", "1099")
    assert sandbox.operator.take("http", "0912345678", "x", key="1099")[1]
    assert not sandbox.operator.take("http", "0912345678", "x", key="0")[1]


def test_a_port_that_is_taken_is_said(sandbox: Sandbox) -> None:
    with pytest.raises(OSError, match="in use"):
        Sandbox(int(sandbox.url.rpartition(":")[2]))
