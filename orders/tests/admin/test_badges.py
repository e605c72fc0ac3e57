from __future__ import annotations

import pytest
from django.utils import translation

from orders.admin.badges import COLOUR, badge, money
from orders.states import Status


def test_every_status_has_its_colour() -> None:
    assert set(COLOUR) == set(Status)


def test_badge_is_the_word_in_a_colour() -> None:
    with translation.override("en"):
        assert badge("delivered") == '<span class="badge good">Delivered</span>'


@pytest.mark.parametrize(("amount", "shown"), [(None, "–"), (0, "NT$ 0"), (1234567, "NT$ 1,234,567")])
def test_money_is_grouped(amount: int | None, shown: str) -> None:
    assert money(amount) == shown
