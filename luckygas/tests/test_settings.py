from __future__ import annotations

import runpy
import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from luckygas import settings as module
from luckygas.checks import check_settings
from luckygas.environment import Environment, Variables
from luckygas.libraries import THROTTLE_RATES, throttle_rates


def test_secret_key_is_created_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BASE_DIR", tmp_path)
    key = module.local_secret()
    (file,) = tmp_path.iterdir()
    assert (module.local_secret(), len(key) > 50, file.stat().st_mode & 0o777) == (key, True, 0o600)


def test_concurrent_processes_share_the_secret_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BASE_DIR", tmp_path)
    draw, keys = secrets.token_urlsafe, list[str]()

    def draw_after_other_process(length: int) -> str:
        """Acts as another process that creates the key after the first one looked for it and before it writes."""
        monkeypatch.setattr(secrets, "token_urlsafe", draw)
        keys.append(module.local_secret())
        return draw(length)

    monkeypatch.setattr(secrets, "token_urlsafe", draw_after_other_process)
    keys.append(module.local_secret())
    assert keys[0] == keys[1] != ""


def test_settings_write_no_file_if_the_environment_has_the_key(tmp_path: Path) -> None:
    """With SECRET_KEY in the environment the directory may be read-only."""
    copy = tmp_path / "luckygas" / "settings.py"
    copy.parent.mkdir()
    shutil.copy(str(module.__file__), copy)
    runpy.run_path(str(copy))
    assert list(tmp_path.iterdir()) == [copy.parent]


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment that has not cached any file."""
    monkeypatch.setattr(Environment, "ENVIRON", Variables())
    return Environment()


@pytest.mark.parametrize("content", ["s3cret-key", "s3cret-key\n", "s3cret-key\r\n"])
def test_value_from_a_file_takes_precedence_and_loses_its_line_end(
    env: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "key"
    file.write_bytes(content.encode())
    monkeypatch.setenv("SMS_API_KEY_FILE", str(file))
    monkeypatch.setenv("SMS_API_KEY", "of the environment")
    assert env.str("SMS_API_KEY", default="") == "s3cret-key"


def test_url_may_come_from_a_file(env: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgres://gas:password@db/gas\n")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    found = env.db_url("DATABASE_URL", default="")
    assert (found["USER"], found["PASSWORD"], found["NAME"]) == ("gas", "password", "gas")


def test_unreadable_file_is_reported_with_its_setting(
    env: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "absent"))
    with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY_FILE: .*absent"):
        env.str("SECRET_KEY", default="")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "junk"),
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "postgres://gas:s3cret@db:s3cret/gas"),
        ("EMAIL_URL", "junk"),
        ("EMAIL_URL", "foo://mail"),
        ("EMAIL_URL", "smtp://gas:s3cret/w@mail:25"),
    ],
)
def test_invalid_url_is_reported_without_its_value(
    env: Environment, monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    monkeypatch.setenv(name, url)
    read = {"DATABASE_URL": env.db_url, "EMAIL_URL": env.email_url}[name]
    with pytest.raises(ImproperlyConfigured, match=rf"^{name} is not a URL") as refused:
        read(name, default="")
    assert "s3cret" not in str(refused.value)


def test_invalid_number_is_reported(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_WORKERS", "many")
    with pytest.raises(ImproperlyConfigured, match=r"^SMS_WORKERS: .*many"):
        env.int("SMS_WORKERS", default=8)


def test_environment_is_used_without_a_file(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_API_KEY", "of the environment")
    assert env.str("SMS_API_KEY", default="") == "of the environment"
    assert env.str("NOWHERE", default="usual") == "usual"


@pytest.mark.parametrize("value", ["$ecret", "$$", "pa$$word", r"\$ecret", r"a\$b\\$", "$HOME"])
def test_dollar_is_literal(env: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str) -> None:
    (tmp_path / "password").write_text(value)
    monkeypatch.setenv("MITAKE_PASSWORD", value)
    monkeypatch.setenv("EVERY8D_PASSWORD_FILE", str(tmp_path / "password"))
    assert [env.str(f"{provider}_PASSWORD", default="") for provider in ("MITAKE", "EVERY8D")] == [value, value]


MAIL = "django.core.mail.backends"


def ids(settings: Any, **values: Any) -> list[str]:
    for name, value in values.items():
        setattr(settings, name, value)
    found = check_settings(None)
    assert all(message.hint for message in found)
    return [str(message.id) for message in found]


def test_settings_of_tests_pass_checks(settings: Any) -> None:
    assert ids(settings) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"SMS_GATEWAY": "pigeon"}, ["luckygas.E001"]),
        ({"SMS_GATEWAY": "http", "SMS_PROVIDER_URL": ""}, ["luckygas.E002", "luckygas.E002"]),
        ({"SMS_GATEWAY": "mitake"}, ["luckygas.E002", "luckygas.E002"]),
        ({"SMS_FALLBACK_GATEWAY": "every8d", "EVERY8D_UID": "u"}, ["luckygas.E002"]),
        ({"SMS_FALLBACK_GATEWAY": "pigeon"}, ["luckygas.E001"]),
        ({"SMS_GATEWAY": "console", "SMS_FALLBACK_GATEWAY": "console"}, ["luckygas.E004"]),
        ({"SMS_GATEWAY": "http", "SMS_PROVIDER_URL": "http://sms.example.tw/"}, ["luckygas.E005", "luckygas.E002"]),
        ({"SMS_GATEWAY": "http", "SMS_PROVIDER_URL": "http://127.0.0.1:9/", "SMS_API_KEY": "key"}, []),
        ({"SMS_GATEWAY": "http", "SMS_PROVIDER_URL": "http://127.0.0.1:9/", "SMS_API_KEY": ""}, ["luckygas.E002"]),
        ({"SMS_TIMEOUT_SECONDS": 0}, ["luckygas.E003"]),
        ({"SMS_TIMEOUT_SECONDS": 61}, ["luckygas.E003"]),
        ({"SMS_WAIT_SECONDS": -1}, ["luckygas.E003"]),
        ({"SMS_WORKERS": 0}, ["luckygas.E003"]),
        ({"PROXIES": -1, "DATABASE_POOL": 0}, ["luckygas.E003", "luckygas.E003"]),
        ({"REDIS_URL": "redis:/127.0.0.1"}, ["luckygas.E018"]),
        ({"REDIS_URL": "redis://:pa/ss@127.0.0.1:6379/0"}, ["luckygas.E018"]),
        ({"REDIS_URL": "rediss://gas.example.tw/0"}, []),
        ({"WEBSOCKET_CONNECTIONS_PER_USER": 0}, ["luckygas.E003"]),
        ({"WEBSOCKET_BURST": 0}, ["luckygas.E003"]),
        ({"WEBSOCKET_MESSAGE_BYTES": 1}, ["luckygas.E003"]),
        ({"SIGN_IN_FAILURES": 0}, ["luckygas.E003"]),
        ({"SIGN_IN_COOLOFF_MINUTES": 0}, ["luckygas.E003"]),
        ({"MONITORING_TOKEN": "short", "SMS_CALLBACK_SECRET": "x" * 15}, ["luckygas.W003", "luckygas.W003"]),
        ({"MONITORING_TOKEN": "x" * 16, "SMS_CALLBACK_SECRET": ""}, []),
        ({"SHOP_AREA_CODE": "2"}, ["luckygas.E019"]),
        ({"SHOP_AREA_CODE": "037"}, []),
        ({"LOG_FORMAT": "xml"}, ["luckygas.E017"]),
        ({"ALLOWED_HOSTS": ["*"]}, ["luckygas.W001"]),
        ({"SITE_URL": "gas.example.tw"}, ["luckygas.E021"]),
        ({"SITE_URL": "https://gas.example.tw/gas"}, ["luckygas.E021"]),
        ({"SITE_URL": "https://gas.example.tw:8443"}, []),
        ({"HTTPS": True, "EMAIL_BACKEND": f"{MAIL}.console.EmailBackend"}, ["luckygas.W004"]),
        ({"HTTPS": True, "EMAIL_BACKEND": f"{MAIL}.smtp.EmailBackend"}, []),
        ({"HTTPS": False, "EMAIL_BACKEND": f"{MAIL}.console.EmailBackend"}, []),
        ({"SMS_QUIET_HOURS": "by night"}, ["luckygas.E010"]),
        ({"SMS_LINK_HOSTS": ["lg.tw"]}, ["luckygas.E011"]),
        ({"TRACKING_URL": "t/"}, ["luckygas.E011"]),
        ({"TRACKING_URL": "https://tracking.lucky-gas.example.tw/t/"}, ["luckygas.W002"]),
        ({"SMS_SENDER": "幸福氣" * 9}, ["luckygas.W002"]),
        ({"SMS_CALLBACK_ADDRESSES": ["203.0.113.7", "198.51.100.9/24", "2001:db8::/32"]}, []),
        ({"SMS_CALLBACK_ADDRESSES": ["203.0.113.7", "sms.example.tw"]}, ["luckygas.E012"]),
        ({"SMS_CALLBACK_ADDRESSES": ["203.0.113.300", "203.0.113.0/33", ""]}, ["luckygas.E012"] * 3),
        ({"SMS_CALLBACK_SECRET": "Ab9-_" * 4}, []),
        ({"SMS_CALLBACK_SECRET": "a/b" * 6}, ["luckygas.E013"]),
        ({"SMS_CALLBACK_SECRET": "瓦斯" * 8}, ["luckygas.E013"]),
        ({"SMS_API_KEY": "top-secret"}, []),
        ({"SMS_API_KEY": "top-secret\r"}, ["luckygas.E016"]),
        ({"SMS_API_KEY": " top-secret"}, ["luckygas.E016"]),
        ({"SMS_CALLBACK_BASE_URL": "https://gas.example.tw"}, []),
        ({"SMS_CALLBACK_BASE_URL": "http://127.0.0.1:8000/"}, []),
        ({"SMS_CALLBACK_BASE_URL": "gas.example.tw"}, ["luckygas.E014"]),
        ({"SMS_CALLBACK_BASE_URL": "ftp://gas.example.tw"}, ["luckygas.E014"]),
        ({"SMS_CALLBACK_BASE_URL": "https://"}, ["luckygas.E014"]),
        ({"SMS_CALLBACK_BASE_URL": "https://[gas"}, ["luckygas.E014"]),
        ({"SMS_SENDER": " "}, ["luckygas.E015"]),
    ],
)
def test_check_reports_exactly_the_wrong_settings_with_a_hint(
    settings: Any, values: dict[str, Any], expected: list[str]
) -> None:
    assert ids(settings, **values) == expected


@pytest.mark.parametrize("url", ["https://lg.tw/t/", "http://127.0.0.1:8000/t/", "http://localhost:8000/t/"])
def test_demo_and_short_links_pass_checks(settings: Any, url: str) -> None:
    assert ids(settings, TRACKING_URL=url) == []


@pytest.mark.parametrize("setting", ["SMS_CALLBACK_SECRET", "SMS_API_KEY"])
def test_check_does_not_reveal_the_secret(settings: Any, setting: str) -> None:
    setattr(settings, setting, "top/secret/of/the/site\n")
    (message,) = check_settings(None)
    assert "top" not in str(message)


def test_given_rates_replace_defaults_and_an_empty_rate_means_no_limit() -> None:
    assert throttle_rates(["office=5/min", " order = "]) == throttle_rates([]) | {"office": (5, 60), "order": None}


@pytest.mark.parametrize(
    "override",
    [
        "office=many",
        "office=5",
        "office=0/s",
        "office=-1/s",
        "office=5/day",
        "office=5/min/min",
        "pigeon=5/s",
        "office",
        "=5/s",
        "",
    ],
)
def test_wrong_rate_raises_an_error_that_names_the_setting(override: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"THROTTLE_RATES.*{override.partition('=')[0]}"):
        throttle_rates(["order=1/min", override])


def test_default_rates_are_valid() -> None:
    throttle_rates([f"{name}={rate}" for name, rate in THROTTLE_RATES.items()])
