from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from notifications.gateways import base, get_gateway
from notifications.gateways.base import Accepted, Message
from notifications.gateways.http import exchange
from notifications.states import Reason
from notifications.tests import provider as behaviours
from notifications.tests.provider import Provider, answers, sending_error

MESSAGE = Message(uuid.uuid4(), "+886912345678", "【幸福氣】您的瓦斯")

pytestmark = pytest.mark.usefixtures("fake_provider")


def test_request_is_as_documented(fake_provider: Provider) -> None:
    get_gateway().send(MESSAGE)
    (request,) = fake_provider.requests
    assert (request.method, request.path) == ("POST", "/sms")
    assert request.body == {"phone": MESSAGE.phone, "message": MESSAGE.text, "sender": "幸福氣"}
    assert request.headers["Authorization"] == "Bearer top-secret"
    assert request.headers["Idempotency-Key"] == str(MESSAGE.id)
    assert request.headers["Content-Type"] == "application/json"
    assert (request.headers["User-Agent"], request.headers["Accept"]) == ("luckygas", "*/*")


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("a b", "a%20b"),
        ("簡訊?名=一 二", "%E7%B0%A1%E8%A8%8A?%E5%90%8D=%E4%B8%80%20%E4%BA%8C"),
        ("a%20b?c=d&e=/", "a%20b?c=d&e=/"),
    ],
)
def test_url_is_percent_encoded_once(fake_provider: Provider, settings: Any, path: str, sent: str) -> None:
    settings.SMS_PROVIDER_URL = f"{fake_provider.url}/{path}"
    get_gateway().send(MESSAGE)
    assert fake_provider.requests[0].path == f"/sms/{sent}"


def test_netrc_does_not_replace_the_key(
    fake_provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    get_gateway().send(MESSAGE)
    assert fake_provider.requests[0].headers["Authorization"] == "Bearer top-secret"


def test_proxy_from_environment_is_not_used(fake_provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert get_gateway().send(MESSAGE).provider_message_id == "m-1"


@pytest.mark.parametrize(
    ("body", "provider_id"),
    [
        ('{"message_id": "m-1", "id": 3}', "m-1"),
        ('{"id": 17}', "17"),
        ('{"id": null}', ""),
        ("[1]", ""),
        ("OK", ""),
        ("", ""),
        ('{"id": "' + "9" * 80 + '"}', "9" * 80),
        ('{"id": "' + "9" * 81 + '"}', ""),
        (r'{"id": "a\u0000b"}', ""),
        (r'{"id": "\ud800"}', ""),
        ('{"id": "a b"}', ""),
        ("[" * 60_000, ""),
        ("9" * 5_000, ""),
    ],
)
def test_only_a_valid_provider_id_is_returned(fake_provider: Provider, body: str, provider_id: str) -> None:
    fake_provider.behave(answers(200, body))
    assert get_gateway().send(MESSAGE) == Accepted(provider_id, "200")


@pytest.mark.parametrize(
    ("statuses", "reason", "requests"),
    [
        ([400, 413, 422], Reason.REFUSED, 1),
        ([401, 403, 407], Reason.CHANNEL_STOPPED, 1),
        ([402], Reason.NO_CREDIT, 1),
        ([408, 425, 429, 503], Reason.BUSY, 1),
        ([301, 302, 404, 405, 410, 418, 451, 499], Reason.UNKNOWN_CODE, 1),
        # The message may have been sent, so the request is repeated with the same key.
        ([201, 202, 409, 500, 502, 504, 599], Reason.NO_ANSWER, 2),
    ],
)
def test_status_of_answer_decides_reason_and_retry(
    fake_provider: Provider, statuses: list[int], reason: Reason, requests: int
) -> None:
    for status in statuses:
        fake_provider.requests.clear()
        fake_provider.behave(answers(status, "in their words", Location="/elsewhere"))
        refused = sending_error(get_gateway(), MESSAGE)
        assert (refused.reason, refused.raw_status, str(refused)) == (reason, str(status), "in their words")
        assert len(fake_provider.requests) == requests


@pytest.mark.parametrize("behaviour", [behaviours.hangs, behaviours.hangs_up, behaviours.drips_status])
def test_request_without_answer_is_repeated_once(fake_provider: Provider, settings: Any, behaviour: Any) -> None:
    settings.SMS_TIMEOUT_SECONDS = 0.4
    fake_provider.behave(behaviour)
    assert sending_error(get_gateway(), MESSAGE).reason == Reason.NO_ANSWER
    assert len(fake_provider.requests) == 2


@pytest.mark.parametrize("behaviour", [behaviours.drips_headers, behaviours.drips_body])
def test_slow_headers_or_body_after_200_are_accepted(fake_provider: Provider, settings: Any, behaviour: Any) -> None:
    settings.SMS_TIMEOUT_SECONDS = 0.4
    fake_provider.behave(behaviour)
    assert get_gateway().send(MESSAGE) == Accepted("", "200")


BODY = b'{"id": "m-7"}'
HEAD = b"HTTP/1.1 200 OK\r\n"
LONGER = HEAD + b"Content-Length: 99\r\n\r\n" + BODY
CHUNK = HEAD + b"Transfer-Encoding: chunked\r\n\r\nd\r\n" + BODY + b"\r\n"


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (LONGER, False), (CHUNK, False), (CHUNK + b"9\r\n   ", False), (HEAD + b"\r\n" + BODY, True),
        (CHUNK + b"0\r\n\r\n", True), (HEAD + b"Content-Length: 13\r\n\r\n" + BODY, True),
        (HEAD + b"Content-Length: 13\r\nContent-Length: 99\r\n\r\n" + BODY, False),
    ],
)  # fmt: skip
def test_partial_answer_is_read_when_the_connection_breaks(
    fake_provider: Provider, answer: bytes, whole: bool, reset: bool
) -> None:
    fake_provider.behave(behaviours.writes(answer, reset=reset))
    found = exchange("GET", fake_provider.url, {}, seconds=10)
    # Without length or chunks, only a closed connection marks the end of the body.
    expected = whole and not (reset and answer.startswith(HEAD + b"\r\n"))
    assert (found.body.strip(), found.whole) == (BODY.decode(), expected)
    assert get_gateway().send(MESSAGE).provider_message_id == "m-7"


@pytest.mark.parametrize("status", [302, 500])
def test_long_body_is_truncated(fake_provider: Provider, status: int) -> None:
    fake_provider.behave(answers(status, "x" * 1_000_000, Location="/elsewhere"))
    assert len(str(sending_error(get_gateway(), MESSAGE))) == 65_536


def test_endless_answer_is_cut_off(fake_provider: Provider, settings: Any) -> None:
    settings.SMS_TIMEOUT_SECONDS = 5
    fake_provider.behave(behaviours.floods)
    assert sending_error(get_gateway(), MESSAGE).reason == Reason.NO_ANSWER


def test_unknown_host_is_unreachable(settings: Any) -> None:
    settings.SMS_PROVIDER_URL = "http://sms.invalid/"
    assert sending_error(get_gateway(), MESSAGE).reason == Reason.UNREACHABLE


@pytest.mark.parametrize("url", ["", "sms", "ftp://127.0.0.1/", "http://", "http://[::1/", f"http://{'x' * 64}.tw/"])
def test_invalid_url_is_permanent_error(settings: Any, url: str) -> None:
    settings.SMS_PROVIDER_URL = url
    failed = sending_error(get_gateway(), MESSAGE)
    assert (failed.reason, failed.permanent) == (Reason.UNREACHABLE, True)


def test_invalid_status_line_is_no_answer(fake_provider: Provider) -> None:
    fake_provider.behave(behaviours.answers_invalid_status)
    assert sending_error(get_gateway(), MESSAGE).reason == Reason.NO_ANSWER
    assert [request.headers["Idempotency-Key"] for request in fake_provider.requests] == [str(MESSAGE.id)] * 2


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n x"])
def test_key_with_line_end_is_not_sent(fake_provider: Provider, settings: Any, end: str) -> None:
    settings.SMS_API_KEY = f"top-secret{end}"
    failed = sending_error(get_gateway(), MESSAGE)
    assert (failed.reason, failed.permanent, fake_provider.requests) == (Reason.UNREACHABLE, True, [])
    assert not get_gateway().health().reachable
    assert "secret" not in str(failed) + get_gateway().health().detail
    assert failed.__suppress_context__


def test_provider_without_tls_gets_no_request(fake_provider: Provider, settings: Any) -> None:
    settings.SMS_PROVIDER_URL = fake_provider.url.replace("http:", "https:")
    assert sending_error(get_gateway(), MESSAGE).reason == Reason.UNREACHABLE
    assert fake_provider.requests == []


def test_key_beyond_latin_1_is_sent_as_utf_8(fake_provider: Provider, settings: Any) -> None:
    settings.SMS_API_KEY = "鑰匙"
    get_gateway().send(MESSAGE)
    assert fake_provider.requests[0].headers["Authorization"].encode("latin-1").decode() == "Bearer 鑰匙"


def test_health_requests_the_documented_path(fake_provider: Provider) -> None:
    assert get_gateway().health() == base.GatewayHealth(reachable=True, detail="HTTP 200")
    assert (fake_provider.requests[0].method, fake_provider.requests[0].path) == ("GET", "/sms/health")


def test_health_reports_hanging_provider_as_unreachable(fake_provider: Provider) -> None:
    fake_provider.behave(behaviours.hangs)
    assert not get_gateway().health().reachable
