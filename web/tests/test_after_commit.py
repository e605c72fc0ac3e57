from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction

from web.after_commit import once_after_commit

pytestmark = pytest.mark.django_db(transaction=True)


class Undone(Exception):
    """Rolls a transaction back."""


@pytest.fixture
def calls() -> list[tuple[int, ...]]:
    return []


@pytest.fixture
def register(calls: list[tuple[int, ...]]) -> Callable[[int], None]:
    """Registers a call with a number. The call that runs appends all its numbers to `calls`."""

    def work(*numbers: int) -> None:
        calls.append(numbers)

    return lambda number: once_after_commit(work, number)


def register_and_roll_back(register: Callable[[int], None], number: int) -> None:
    with pytest.raises(Undone), transaction.atomic():
        register(number)
        raise Undone


def test_two_calls_run_once_after_the_commit(register: Callable[[int], None], calls: list[tuple[int, ...]]) -> None:
    for _ in range(2):
        with transaction.atomic():
            register(1)
            with transaction.atomic():
                register(2)
            assert calls in ([], [(1, 2)])
    assert calls == [(1, 2), (1, 2)]


def test_rolled_back_call_does_not_run(register: Callable[[int], None], calls: list[tuple[int, ...]]) -> None:
    register_and_roll_back(register, 1)
    with transaction.atomic():
        register_and_roll_back(register, 2)
        register(3)
    assert calls == [(3,)]


def test_call_outside_a_rolled_back_savepoint_runs(
    register: Callable[[int], None], calls: list[tuple[int, ...]]
) -> None:
    with transaction.atomic():
        register(1)
        register_and_roll_back(register, 2)
    assert [numbers[0] for numbers in calls] == [1]


def test_call_outside_a_transaction_runs_at_once(register: Callable[[int], None], calls: list[tuple[int, ...]]) -> None:
    register(1)
    register(2)
    assert calls == [(1,), (2,)]


def test_failing_callback_does_not_fail_the_commit(calls: list[tuple[int, ...]]) -> None:
    def fail() -> None:
        raise Undone

    with transaction.atomic():
        once_after_commit(fail)
        once_after_commit(calls.append, (1,))
    assert calls == [(1,)]
