from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from luckygas.libraries import THROTTLE_RATES, throttle_rates


def test_what_is_said_changes_the_rates() -> None:
    assert throttle_rates(["office=5/min", " order = "]) == throttle_rates([]) | {"office": (5, 60), "order": None}


@pytest.mark.parametrize(
    "said",
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
def test_a_wrong_rate_is_named_and_nothing_starts_with_it(said: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"THROTTLE_RATES.*{said.partition('=')[0]}"):
        throttle_rates(["order=1/min", said])


def test_the_rates_of_the_house_are_sound() -> None:
    throttle_rates([f"{name}={rate}" for name, rate in THROTTLE_RATES.items()])
