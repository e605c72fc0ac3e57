"""Security settings and headers. Production's settings are checked in a process with production's environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from luckygas.libraries import site_url
from luckygas.testing.site import ROOT
from luckygas.testing.waiting import PATIENCE_SECONDS
from orders.tests.factories import make_office, make_order

PRODUCTION = {
    "DATABASE_URL": "postgres://gas:pass@db/gas", "REDIS_URL": "redis://redis/0", "ALLOWED_HOSTS": "gas.example.tw",
    "HTTPS": "true", "PROXIES": "1", "SMS_GATEWAY": "every8d", "EVERY8D_UID": "uid", "EVERY8D_PASSWORD": "pass",
    "TRACKING_URL": "https://lg.tw/t/", "MONITORING_TOKEN": "m" * 32, "SMS_CALLBACK_SECRET": "c" * 32,
    "SMS_QUIET_HOURS": "21:00-08:00", "EMAIL_URL": "smtp+tls://mail.example.tw:587",
}  # fmt: skip
FLAGS = (
    "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "LANGUAGE_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY",
    "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_CONTENT_TYPE_NOSNIFF",
)  # fmt: skip
SHOW = f"from django.conf import settings as s; import json; print(json.dumps([getattr(s, n) for n in {FLAGS!r}]))"


def manage(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"]} | PRODUCTION | extra
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=2 * PATIENCE_SECONDS, check=False
    )


@pytest.fixture
def key(tmp_path: Path) -> str:
    file = tmp_path / "key"
    file.write_text("".join(map(chr, range(48, 110))))
    return str(file)


def test_production_settings_pass_every_check(key: str) -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING", SECRET_KEY_FILE=key)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_weak_settings_are_reported() -> None:
    weak = {"SECRET_KEY": "short", "HTTPS": "false", "DEBUG": "true", "ALLOWED_HOSTS": "*", "MONITORING_TOKEN": "short"}
    done = manage("check", "--deploy", "--fail-level", "WARNING", **weak)
    assert done.returncode == 1
    expected = ["security.W004", "security.W009", "security.W018", "luckygas.W001", "luckygas.W003"]
    assert [name for name in expected if name not in done.stderr] == []


def test_https_makes_cookies_and_transport_secure(key: str) -> None:
    done = manage("shell", "--no-imports", "-c", SHOW, SECRET_KEY_FILE=key)
    assert all(json.loads(done.stdout)), done.stdout


def test_pages_have_security_headers() -> None:
    headers = Client().get("/accounts/login/").headers
    assert headers["Content-Security-Policy"].count("default-src 'self'") == 1
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Permissions-Policy"].startswith("camera=(self), geolocation=(self), microphone=()")
    assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff")
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.long
@pytest.mark.django_db
def test_personal_data_is_not_cached() -> None:
    order, office = make_order(), make_office(is_superuser=True)
    client = Client()
    client.force_login(office)
    for path in (
        "/", "/orders/new/", "/accounts/login/", "/accounts/password/change/", "/driver/", "/nowhere/",
        f"/t/{order.tracking_token}/",
        "/admin/", "/admin/orders/order/", f"/admin/orders/order/{order.pk}/change/", "/admin/autocomplete/",
        "/api/v1/orders/", f"/api/v1/orders/{order.pk}/", "/api/v1/customers/", "/api/v1/events/", "/api/v1/nowhere/",
        "/api/v1/notifications/", "/health/", "/health/ready", "/health/dashboard/", "/health/metrics",
    ):  # fmt: skip
        header = client.get(path).headers["Cache-Control"]
        assert {"private", "no-store"} <= set(header.replace(" ", "").split(",")), path
    assert "no-store" in Client().get("/api/v1/orders/").headers["Cache-Control"]


def test_script_translations_may_be_cached_and_revalidated() -> None:
    catalogue = Client().get("/words.js")
    assert "no-store" not in catalogue.headers["Cache-Control"]
    again = Client().get("/words.js", headers={"if-none-match": catalogue.headers["ETag"]})
    assert again.status_code == 304


SITE_URLS = [
    ({}, "http://127.0.0.1:8000"),
    ({"TRACKING_URL": "http://127.0.0.1:9000/t/"}, "http://127.0.0.1:9000"),
    ({"HTTPS": "true", "ALLOWED_HOSTS": ".gas.example.tw,lg.tw"}, "https://gas.example.tw"),
    ({"SITE_URL": "https://gas.example.tw:8443/"}, "https://gas.example.tw:8443"),
    ({"SITE_URL": " https://gas.example.tw/ "}, "https://gas.example.tw"),
]


@pytest.mark.parametrize(("values", "expected"), SITE_URLS)
def test_site_url_comes_from_settings(values: dict[str, str], expected: str) -> None:
    hosts = values.get("ALLOWED_HOSTS", "127.0.0.1").split(",")
    tracking = values.get("TRACKING_URL", "http://127.0.0.1:8000/t/")
    assert site_url(values.get("SITE_URL", ""), "HTTPS" in values, hosts, tracking) == expected
