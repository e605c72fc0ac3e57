"""The whole table: every pair of statuses, every role."""

from __future__ import annotations

import itertools

import pytest

from accounts.roles import Side
from orders import states
from orders.states import Status
from web.refusals import Refusal

O, D, C = Side.OFFICE, Side.DRIVER, Side.CUSTOMER  # noqa: E741
# from → to: who may, and whether they must say why. Written out by hand: it is the specification.
ALLOWED = {
    ("pending", "confirmed"): ({O}, False),
    ("pending", "cancelled"): ({O, C}, True),
    ("confirmed", "assigned"): ({O}, False),
    ("confirmed", "cancelled"): ({O, C}, True),
    ("assigned", "confirmed"): ({O}, False),
    ("assigned", "delivering"): ({O, D}, False),
    ("assigned", "cancelled"): ({O, C}, True),
    ("delivering", "assigned"): ({O, D}, False),
    ("delivering", "arriving"): ({O, D}, False),
    ("delivering", "failed"): ({O, D}, True),
    ("delivering", "cancelled"): ({O}, True),
    ("arriving", "delivering"): ({O, D}, False),
    ("arriving", "delivered"): ({O, D}, False),
    ("arriving", "failed"): ({O, D}, True),
    ("arriving", "cancelled"): ({O}, True),
    ("failed", "confirmed"): ({O}, False),
    ("failed", "cancelled"): ({O}, True),
    ("delivered", "cancelled"): ({O}, True),
}
EVERY = list(itertools.product(Status.values, Status.values, Side))


def outcome(before: str, to: str, role: Side, reason: str) -> str:
    try:
        states.check(before, to, {role}, reason)
    except Refusal as refusal:
        return refusal.code
    return "allowed"


@pytest.mark.parametrize(("before", "to", "role"), EVERY)
def test_every_move_and_every_refusal(before: str, to: str, role: Side) -> None:
    if (before, to) not in ALLOWED:
        expected = ("invalid_transition", "invalid_transition")
    else:
        who, needs_reason = ALLOWED[before, to]
        expected = (
            ("allowed" if not needs_reason else "reason_required", "allowed") if role in who else ("forbidden",) * 2
        )
    assert (outcome(before, to, role, " "), outcome(before, to, role, "因為")) == expected


def test_the_office_may_do_what_any_other_may() -> None:
    assert all(Side.OFFICE in move.roles for move in states.MOVES.values())


def test_nobody_without_a_role_moves_anything() -> None:
    with pytest.raises(Refusal, match=r"may not|不"):
        states.check("pending", "confirmed", set(), "")


def test_moves_from() -> None:
    assert set(states.moves_from("assigned", {Side.DRIVER})) == {Status.DELIVERING}
    assert set(states.moves_from("cancelled", set(Side))) == set()


def test_open_orders_are_those_that_still_want_something() -> None:
    assert set(Status) - states.OPEN == {Status.DELIVERED, Status.CANCELLED}
