from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError, transaction
from waffle import switch_is_active
from waffle.models import Switch

from orders.tests.factories import set_switch
from web import flags
from web.flags import SwitchesRead

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _read_from_database(all_switches_on: None) -> None:
    flags.forget()


def test_every_switch_has_a_meaning_and_is_on_without_a_row() -> None:
    names = {value for name, value in vars(flags).items() if name.isupper() and isinstance(value, str)}
    assert names == set(flags.MEANINGS)
    Switch.objects.all().delete()
    assert all(flags.is_on(name) and switch_is_active(name) for name in names)


def test_change_is_visible_at_once_in_the_same_process() -> None:
    assert flags.is_on(flags.SMS)
    set_switch(flags.SMS, False)
    assert not flags.is_on(flags.SMS)
    assert flags.is_on(flags.CACHING)
    set_switch(flags.SMS, True)
    assert flags.is_on(flags.SMS)


def test_rolled_back_change_has_no_effect() -> None:
    with transaction.atomic():
        set_switch(flags.SMS, False)
        transaction.set_rollback(True)
    assert flags.is_on(flags.SMS)


def test_change_by_another_process_is_read_after_half_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(flags, "monotonic", lambda: now)
    set_switch(flags.SMS, True)
    assert flags.is_on(flags.SMS)
    Switch.objects.filter(name=flags.SMS).update(active=False)  # sends no signal, like a change by another process
    now += flags.MEMORY_SECONDS
    assert flags.is_on(flags.SMS)
    now += 0.001
    assert not flags.is_on(flags.SMS)


def test_all_switches_are_read_in_one_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert all(flags.is_on(name) for name in flags.MEANINGS)
    with django_assert_num_queries(0):
        assert all(flags.is_on(name) for name in flags.MEANINGS)


def test_switches_keep_their_values_while_the_database_is_down() -> None:
    set_switch(flags.SMS, False)
    assert not flags.is_on(flags.SMS)
    flags.forget()
    with mock.patch.object(Switch.objects, "filter", side_effect=OperationalError):
        assert not flags.is_on(flags.SMS)
        assert flags.is_on(flags.CACHING)


def test_later_of_two_concurrent_reads_wins() -> None:
    flags.remember(SwitchesRead(at=2.0, off=frozenset({flags.SMS})))
    flags.remember(SwitchesRead(at=1.0))
    assert not flags.is_on_from_memory(flags.SMS)
