"""Receipts as a site gets them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from luckygas.testing.sandbox.receipts import Receipt, ReceiptPolicy
from luckygas.testing.sandbox.server import Sandbox
from luckygas.testing.sandbox.telephones import Sent
from luckygas.testing.waiting import wait_for
from notifications.states import Status


class Site(HTTPServer):
    """Stopped in 20 ms and not in half a second."""

    def thread_target(self) -> None:
        assert self.server is not None
        self.server.serve_forever(poll_interval=0.02)


@pytest.fixture
def site() -> Iterator[HTTPServer]:
    with Site(host="127.0.0.1") as server:
        yield server


def told(site: HTTPServer, count: int) -> list[dict[str, str]]:
    """The parameters of the first receipts."""
    wait_for(lambda: len(site.log) >= count)
    return [dict(request.args) for request, _ in site.log[:count]]


def mitake(sandbox: Sandbox, site: HTTPServer) -> Sent:
    return sandbox.operator.take("mitake", "0912345678", "瓦斯", callback=site.url_for("/m"))[0]


def acknowledges(request: Request) -> Response:
    return Response(f"magicid=sms_gateway_rpack\nmsgid={request.args['msgid']}\n", content_type="text/plain")


@pytest.mark.parametrize(
    ("state", "flag", "word"),
    [(Status.DELIVERED, "4", "DELIVRD"), (Status.FAILED, "6", "UNDELIV"), (Status.EXPIRED, "8", "EXPIRED")],
)
def test_mitake_tells_by_itself(sandbox: Sandbox, site: HTTPServer, state: Status, flag: str, word: str) -> None:
    site.expect_request("/m").respond_with_handler(acknowledges)
    sandbox.operator.receipts.policy = ReceiptPolicy(state, delay=0.01)
    sent = mitake(sandbox, site)
    (said,) = told(site, 1)
    assert (said["msgid"], said["dstaddr"], said["StatusFlag"]) == (sent.serial, "0912345678", flag)
    assert (said["statuscode"], said["statusstr"]) == ("0", word)
    wait_for(lambda: sent.receipts == 1)
    assert sent.state == state


def test_told_twice_and_out_of_order(sandbox: Sandbox, site: HTTPServer) -> None:
    site.expect_request("/m").respond_with_handler(acknowledges)
    sandbox.operator.receipts.policy = ReceiptPolicy(delay=0, times=2, jumbled=True)
    sent = mitake(sandbox, site)
    assert [said["StatusFlag"] for said in told(site, 3)] == ["4", "4", "1"]
    assert sent.state == Status.DELIVERED


def test_what_is_not_acknowledged_is_told_again(sandbox: Sandbox, site: HTTPServer) -> None:
    site.expect_ordered_request("/m").respond_with_data("OK")
    site.expect_ordered_request("/m").respond_with_handler(acknowledges)
    sent = mitake(sandbox, site)
    sandbox.operator.receipts.tell(Receipt(sent, Status.DELIVERED))
    assert len(told(site, 2)) == 2
    wait_for(lambda: sent.receipts == 1)


def test_every8d_tells_the_registered_url(site: HTTPServer) -> None:
    site.expect_request("/e").respond_with_data("")
    with Sandbox(callbacks={"every8d": site.url_for("/e")}) as sandbox:
        sandbox.operator.receipts.policy = ReceiptPolicy(delay=0)
        sent, _ = sandbox.operator.take("every8d", "0912345678", "瓦斯")
        (said,) = told(site, 1)
        assert (said["BatchID"], said["RM"], said["STATUS"], said["SM"]) == (sent.id, "+886912345678", "100", "")


def test_the_customers_reply_is_told_by_the_page(site: HTTPServer) -> None:
    site.expect_request("/e").respond_with_data("")
    with Sandbox(callbacks={"every8d": site.url_for("/e")}) as sandbox:
        sandbox.operator.receipts.policy = ReceiptPolicy(outcome=None)
        sent, _ = sandbox.operator.take("every8d", "0912345678", "瓦斯")
        requests.post(f"{sandbox.url}/control", data={"message": sent.number, "reply": "謝謝"}, timeout=5)
        (said,) = told(site, 1)
        assert (said["STATUS"], said["SM"], sent.state) == ("999", "謝謝", Status.SENT)


def test_nothing_is_told_to_another_machine(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    sent, _ = sandbox.operator.take("mitake", "0912345678", "瓦斯", callback="http://192.0.2.1/m/secret")
    sandbox.operator.receipts.tell(Receipt(sent, Status.DELIVERED))
    wait_for(lambda: "another machine" in caplog.text)
    assert (sent.receipts, "secret" in caplog.text) == (0, False)


def test_its_log_has_neither_number_nor_secret(
    sandbox: Sandbox, site: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    site.expect_request("/m").respond_with_handler(acknowledges)
    sent = mitake(sandbox, site)
    sandbox.operator.receipts.tell(Receipt(sent, Status.DELIVERED))
    wait_for(lambda: "told, HTTP 200" in caplog.text)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("luckygas.testing.sandbox.")]
    assert ours == ["Message 1: delivered, told, HTTP 200."]
