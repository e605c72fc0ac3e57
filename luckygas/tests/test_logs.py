from __future__ import annotations

import logging

import pytest
from asgiref.sync import sync_to_async

from luckygas.logs import MaskSecrets
from luckygas.testing.site import Site
from orders.tests.factories import make_office, make_order
from realtime.tests.client import open_client, token_for

PATH = "/api/v1/websocket/ws"


@pytest.mark.parametrize(
    ("line", "args", "shown"),
    [
        ("%s [accepted]", (f"{PATH}?token=eyJ.a-b_c&since=4",), f"{PATH}?token=***&since=4 [accepted]"),
        (f"{PATH}?ticket=abc", (), f"{PATH}?ticket=***"),
        (f'"GET {PATH}/track/abc-_1 HTTP/1.1"', (), f'"GET {PATH}/track/*** HTTP/1.1"'),
        ("GET /t/abc-_1/ 200", (), "GET /t/***/ 200"),
        (
            "Not Found: /api/v1/notifications/callbacks/every8d/s3cret-_/?BatchID=1&RM=0912345678&SM=hi&STATUS=999",
            (),
            "Not Found: /api/v1/notifications/callbacks/every8d/***/?BatchID=1&RM=***&SM=***&STATUS=999",
        ),
        (
            "/callbacks/mitake/s3cret/?msgid=%231&dstaddr=0912345678",
            (),
            "/callbacks/mitake/***/?msgid=%231&dstaddr=***",
        ),
        ("%d orders", (3,), "3 orders"),
    ],
)
def test_secrets_are_masked(line: str, args: tuple[object, ...], shown: str) -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, line, args, None)
    assert MaskSecrets().filter(record)
    assert record.getMessage() == shown


@pytest.mark.servers
async def test_a_server_writes_no_token_into_its_log(either_site: Site) -> None:
    token = await sync_to_async(lambda: token_for(make_office()))()
    link = await sync_to_async(lambda: make_order().tracking_token)()
    for path in (f"?token={token}", f"/track/{link}"):
        async with open_client(either_site.ws + path) as client:
            assert client.welcome["type"] == "connection"
    log = either_site.log.read_text()
    assert token not in log
    assert link not in log
    assert either_site.server == "daphne" or "token=***" in log
