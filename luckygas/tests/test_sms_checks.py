from __future__ import annotations

from typing import Any

import pytest

from luckygas.sms_checks import messages_are_sound


def ids(settings: Any, **values: Any) -> list[str]:
    for name, value in values.items():
        setattr(settings, name, value)
    found = messages_are_sound(None)
    assert all(message.hint for message in found)
    return [str(message.id) for message in found]


@pytest.mark.parametrize("url", ["https://lg.tw/t/", "http://127.0.0.1:8000/t/", "http://localhost:8000/t/"])
def test_links_of_the_demo_and_short_ones_are_sound(settings: Any, url: str) -> None:
    assert ids(settings, TRACKING_URL=url) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"SMS_QUIET_HOURS": "by night"}, ["luckygas.E010"]),
        ({"SMS_LINK_HOSTS": ["lg.tw"]}, ["luckygas.E011"]),
        ({"TRACKING_URL": "t/"}, ["luckygas.E011"]),
        ({"TRACKING_URL": "https://tracking.lucky-gas.example.tw/t/"}, ["luckygas.W002"]),
        ({"SMS_SENDER": "幸福氣" * 9}, ["luckygas.W002"]),
        ({"SMS_CALLBACK_ADDRESSES": ["203.0.113.7", "198.51.100.9/24", "2001:db8::/32"]}, []),
        ({"SMS_CALLBACK_ADDRESSES": ["203.0.113.7", "sms.example.tw"]}, ["luckygas.E012"]),
        ({"SMS_CALLBACK_ADDRESSES": ["203.0.113.300", "203.0.113.0/33", ""]}, ["luckygas.E012"] * 3),
        ({"SMS_CALLBACK_SECRET": "Ab9-_"}, []),
        ({"SMS_CALLBACK_SECRET": "a/b"}, ["luckygas.E013"]),
        ({"SMS_CALLBACK_SECRET": "瓦斯"}, ["luckygas.E013"]),
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


@pytest.mark.parametrize("setting", ["SMS_CALLBACK_SECRET", "SMS_API_KEY"])
def test_a_check_does_not_say_the_secret(settings: Any, setting: str) -> None:
    setattr(settings, setting, "top/secret\n")
    (message,) = messages_are_sound(None)
    assert "top" not in str(message)
