from __future__ import annotations

from typing import Any

import pytest

from luckygas.checks import settings_are_sound

MAIL = "django.core.mail.backends"


def ids(settings: Any, **values: Any) -> list[str]:
    for name, value in values.items():
        setattr(settings, name, value)
    found = settings_are_sound(None)
    assert all(message.hint for message in found)
    return [str(message.id) for message in found]


def test_the_settings_of_the_tests_are_sound(settings: Any) -> None:
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
def test_a_wrong_setting_is_said_with_a_hint(settings: Any, values: dict[str, Any], expected: list[str]) -> None:
    assert ids(settings, **values) == expected


@pytest.mark.parametrize("url", ["https://lg.tw/t/", "http://127.0.0.1:8000/t/", "http://localhost:8000/t/"])
def test_links_of_the_demo_and_short_ones_are_sound(settings: Any, url: str) -> None:
    assert ids(settings, TRACKING_URL=url) == []


@pytest.mark.parametrize("setting", ["SMS_CALLBACK_SECRET", "SMS_API_KEY"])
def test_a_check_does_not_say_the_secret(settings: Any, setting: str) -> None:
    setattr(settings, setting, "top/secret/of/the/site\n")
    (message,) = settings_are_sound(None)
    assert "top" not in str(message)
