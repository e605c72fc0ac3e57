from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
import structlog
from asgiref.sync import sync_to_async
from django.db import connection
from django.db.backends.signals import connection_created
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from prometheus_client import REGISTRY
from structlog.contextvars import bound_contextvars

from importing.tests.sheets import make_20kg, make_sheet, row
from luckygas import logs
from luckygas.testing.servers import running
from luckygas.testing.site import Site, manage
from luckygas.testing.waiting import PATIENCE_SECONDS, wait_for
from notifications.models import NotificationHistory
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_driver, make_office, make_order
from realtime import log
from realtime.models import Event
from realtime.tests.client import open_client, token_for

PATH = "/api/v1/websocket/ws"
NUMBER = "+886912345678"


def make_record(line: str, *args: object, exc_info: Any = None, **extra: object) -> logging.LogRecord:
    new_record = logging.LogRecord("some.library", logging.WARNING, "", 0, line, args, exc_info)
    vars(new_record).update(extra)
    return new_record


def as_json(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(logs.formatter("json").format(record))
    return fields


@pytest.mark.parametrize("form", logs.FORMATS)
@pytest.mark.parametrize(
    ("line", "args", "shown"),
    [
        ("%s [accepted]", (f"{PATH}?token=eyJ.a-b_c&since=4",), f"{PATH}?token=***&since=4 [accepted]"),
        (f"{PATH}?ticket=abc", (), f"{PATH}?ticket=***"),
        (f"GET {PATH}/track/abc-_1 HTTP/1.1", (), f"GET {PATH}/track/*** HTTP/1.1"),
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
        ("GET /accounts/password/set/MTI/d0-5e_c/ 404", (), "GET /accounts/password/set/MTI/***/ 404"),
        ("%d orders", (3,), "3 orders"),
        ("電話0912-345-678、%s", ("02-2930-0016",), "電話0912-***-678、02-***-016"),
        ("called %s", (NUMBER,), "called 0912-***-678"),
    ],
)
def test_secrets_and_numbers_are_masked(form: str, line: str, args: tuple[object, ...], shown: str) -> None:
    assert shown in logs.formatter(form).format(make_record(line, *args))


def test_record_is_masked_for_other_handlers() -> None:
    record = make_record("called %s", NUMBER)
    assert logs.MaskSecrets().filter(record)
    assert record.getMessage() == "called 0912-***-678"


def test_line_of_another_library_is_json_with_context() -> None:
    with bound_contextvars(request_id="abc-123"):
        fields = as_json(make_record("Not “%s”", "found", request=object(), status=404))
    assert fields.pop("timestamp").endswith("Z")
    assert fields == {
        "event": "Not “found”", "level": "warning", "logger": "some.library", "request_id": "abc-123", "status": 404,
    }  # fmt: skip


NUMBERS = ("+886912345678", "0912345678", "0912.345.678", "0223456789", "02-2345-6789", "+886 2 2345 6789")


@pytest.mark.parametrize("form", logs.FORMATS)
@pytest.mark.parametrize("before", ["", "; call ", "\n", "\t", "客戶"])
def test_message_field_and_exception_are_masked(form: str, before: str) -> None:
    text = "".join(f"{before or ' '}{number}" for number in NUMBERS)
    try:
        raise ValueError(f"{text}, token=abc\\def 4821-7736")
    except ValueError:
        line = logs.formatter(form).format(make_record("Broken\n%s", text, exc_info=sys.exc_info(), path=text))
    assert "Traceback" in line
    assert "4821-7736" in line
    assert not [secret for secret in (*NUMBERS, "345678", "token=abc") if secret in line]


def test_exception_in_json_stays_on_one_line() -> None:
    try:
        raise ValueError(NUMBER)
    except ValueError:
        line = logs.formatter("json").format(make_record("Broken", exc_info=sys.exc_info()))
    assert "\n" not in line
    assert "Traceback" in json.loads(line)["exception"]


# ESC, BEL, C1 (CSI, NEL), line ends, direction marks, invisible characters, a lone surrogate, private use.
ODD = "\x1b[31m\x07\x00\x9b2J\x85\u2028\u2029\r\n\x0b\x0c\u202e\u2066\u200f\u061c\u200b\ufeff\ud800\ue000\U000e0041"
FORGED = "2026-11-30 12:00:00 [info] request [luckygas.access] status=200"


@pytest.mark.parametrize("form", logs.FORMATS)
@pytest.mark.parametrize("field", ["path", "route", "user_id", "event", "exception", "bound", "args"])
def test_control_characters_cannot_forge_lines(form: str, field: str) -> None:
    text, error = f"/x{ODD}\n{FORGED}\u2028{FORGED}", None
    if field == "exception":
        try:
            raise ValueError(text)
        except ValueError:
            error = sys.exc_info()
    arguments: tuple[Any, ...] = {"event": (text,), "args": ("Not Found: %s", text)}.get(field, ("Broken",))
    extra = {field: text} if field in ("path", "route", "user_id") else {}
    with bound_contextvars(**({"request_id": text} if field == "bound" else {})):
        line = logs.formatter(form).format(make_record(*arguments, exc_info=error, **extra))
    assert [letter for letter in line if letter != "\n" and not letter.isprintable()] == []
    assert [part for part in line.split("\n")[1:] if not part.startswith("  ")] == []
    line.encode()
    if form == "json":
        assert "\n" not in line
        assert json.loads(line)["logger"] == "some.library"


def test_printable_letters_and_blanks_are_unchanged() -> None:
    text = "王小姐　大安區\u00a0é 👍 “x”"
    for form in logs.FORMATS:
        assert text in logs.formatter(form).format(make_record(text))


def test_structlog_lines_are_masked() -> None:
    lines, handler = StringIO(), logging.StreamHandler()
    handler.setStream(lines)
    handler.setFormatter(logs.formatter("json"))
    logger = logging.getLogger("of-this-test")
    logger.propagate = False
    logger.addHandler(handler)
    structlog.get_logger("of-this-test").warning("sms", to=NUMBER, order_id=5)
    fields = json.loads(lines.getvalue())
    assert (fields["event"], fields["to"], fields["order_id"], fields["level"]) == ("sms", "0912-***-678", 5, "warning")


def test_text_line_begins_with_its_time() -> None:
    line = logs.formatter("text").format(make_record("Hello", status=200))
    assert line[:2] == "20"
    assert line.endswith("[warning] Hello [some.library] status=200")


def test_only_uvicorn_has_its_own_handler() -> None:
    redis.Redis().pubsub()  # type: ignore[no-untyped-call]
    loggers = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    # Compares the exact type, because pytest's handlers are subclasses.
    with_handlers = {one.name for one in loggers for handler in one.handlers if type(handler) is logging.StreamHandler}
    assert with_handlers - {"of-this-test"} == {"uvicorn.error"}


@pytest.mark.servers
async def test_server_logs_no_token_or_tracking_link(either_site: Site) -> None:
    token = await sync_to_async(lambda: token_for(make_office()))()
    link = await sync_to_async(lambda: make_order().tracking_token)()
    for path in (f"?token={token}", f"/track/{link}"):
        async with open_client(either_site.ws + path) as client:
            assert client.welcome["type"] == "connection"
    log = either_site.log.read_text()
    assert token not in log
    assert link not in log
    assert either_site.server == "daphne" or "token=***" in log


# A search for one request id finds everything that a click caused: log lines, events and messages.


CLICK = "click-0001"


@pytest.fixture
def site(transactional_db: None) -> Iterator[Site]:
    with running(Site("uvicorn", LOG_FORMAT="json")) as server:
        yield server


def lines(site: Site) -> list[dict[str, Any]]:
    """Returns the log's lines, parsed as JSON."""
    return [json.loads(line) for line in site.log.read_text().splitlines()]


def loggers(site: Site, request_id: str) -> set[str]:
    return {line["logger"] for line in lines(site) if line.get("request_id") == request_id}


def confirm(site: Site, order: Order, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "X-Request-ID": CLICK}
    url = f"{site.url}/api/v1/orders/{order.pk}/status/"
    answer = requests.patch(url, json={"status": "confirmed"}, headers=headers, timeout=PATIENCE_SECONDS)
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (200, CLICK)


@pytest.mark.django_db(transaction=True)
async def test_request_id_links_events_sms_and_logs(site: Site, admin_client: Browser) -> None:
    order, office = await sync_to_async(make_order)(), await sync_to_async(make_office)()
    token = await sync_to_async(token_for)(office)
    async with open_client(f"{site.ws}/office?token={token}") as client:
        await asyncio.to_thread(confirm, site, order, token)
        notification = await client.until("notification.sent")
        assert CLICK not in str(notification)
    ids = {event.type: event.request_id async for event in Event.objects.all()}
    assert (ids["order.created"], ids["order.status_changed"], ids["notification.sent"]) == ("", CLICK, CLICK)
    message = await NotificationHistory.objects.aget()
    assert message.request_id == CLICK
    # Log lines are written after the response or the commit, so screens may be faster.
    await asyncio.to_thread(wait_for, lambda: loggers(site, CLICK) == {"luckygas.access", "notifications.sender"})
    hub_lines = [line for line in lines(site) if line["event"] == "numbered"]
    assert any(line["requests"] == [CLICK] for line in hub_lines)
    # The hub started in the socket's context, but its log lines must not have the socket's ids.
    assert not any({"connection_id", "request_id"} & line.keys() for line in hub_lines)
    event = await Event.objects.aget(type="notification.sent")
    pages = [
        reverse("admin:notifications_notificationhistory_change", args=[message.pk]),
        reverse("admin:realtime_event_change", args=[event.pk]),
    ]
    for page in pages:
        assert CLICK in (await sync_to_async(admin_client.get)(page)).content.decode()


@pytest.mark.django_db(transaction=True)
async def test_socket_command_is_logged_with_request_and_connection_id(site: Site) -> None:
    driver = await sync_to_async(make_driver)()
    order = await sync_to_async(make_order)(OrderStatus.ASSIGNED, driver=driver)
    token = await sync_to_async(token_for)(driver.user)
    async with open_client(f"{site.ws}/driver?token={token}") as client:
        await client.answer("ack", type="order_update", order_id=order.pk, status="delivering")
        await client.answer("error", type="order_update", order_id=order.pk, status="nonsense")
    done, refused = (line for line in lines(site) if line["event"] == "command")
    assert done["connection_id"] == refused["connection_id"] == client.welcome["connection_id"]
    assert (done["outcome"], refused["outcome"], done["user_id"]) == ("ack", "invalid_message", driver.user_id)
    assert done["request_id"] != refused["request_id"]
    # The hub publishes the change a little later.
    while not await Event.objects.filter(type="order.status_changed", request_id=done["request_id"]).aexists():
        await asyncio.sleep(0.01)


@pytest.mark.django_db(transaction=True)
def test_events_of_one_import_command_share_a_request_id(tmp_path: Path) -> None:
    make_20kg()
    file = tmp_path / "orders.csv"
    tomorrow = str(timezone.localdate() + timedelta(days=1))
    file.write_bytes(make_sheet(*(row(number, date=tomorrow) for number in (1, 2))))
    manage("import_orders", str(file))
    log.assign_event_ids()
    ids = set(Event.objects.filter(type="order.created").values_list("request_id", flat=True))
    assert len(ids) == 1
    assert len(ids.pop()) == 32


def count_queries() -> float:
    return REGISTRY.get_sample_value("luckygas_sql_query_seconds_count", {"alias": "default"}) or 0.0


@pytest.mark.django_db
def test_each_query_is_counted_once_after_reconnecting() -> None:
    connection_created.send(type(connection), connection=connection)
    before = count_queries()
    Order.objects.count()
    assert count_queries() == before + 1


@pytest.mark.django_db
def test_failed_query_is_counted() -> None:
    before = count_queries()
    with pytest.raises(Exception, match="nowhere"), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM nowhere")
    assert count_queries() == before + 1
