from __future__ import annotations

from datetime import date

import pytest

from catalogue.models import Product
from importing.register import Register
from importing.row import Draft
from orders.models import Priority, TimeSlot
from orders.tests.factories import make_customer

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 23)
HOME = "台北市大安區信義路四段7號"


def draft(customer: str = "洪小姐", *phones: str, address: str = HOME) -> Draft:
    return Draft(
        row=2, number="7", customer=customer, phone=phones, address=address, product=Product(pk=1), quantity=1,
        date=DAY, slot=TimeSlot.ANYTIME, priority=Priority.NORMAL, notes="",
    )  # fmt: skip


@pytest.fixture
def register() -> Register:
    return Register([DAY])


def test_customer_is_found_by_either_telephone(register: Register) -> None:
    known = make_customer(phone="0912-345-678", phone2="02-2365-0003")
    register.refresh()
    assert register.find(draft("別人", "+886912345678", address="別處")) == known
    assert register.find(draft("別人", "+886900000000", "+886223650003", address="別處")) == known


def test_customer_is_found_by_name_and_address_together(register: Register) -> None:
    known = make_customer(name="洪 小姐", address="臺北市大安區信義路四段７號")
    register.refresh()
    assert register.find(draft("洪小姐")) == known
    assert register.find(draft("洪小姐", "+886900000000")) == known
    assert register.find(draft("洪太太")) is None
    assert register.find(draft("洪小姐", address="別處")) is None


def test_telephone_weighs_more_than_name_and_address(register: Register) -> None:
    make_customer(name="洪小姐", address=HOME, phone="0912-000-001")
    by_phone = make_customer(name="別人", address="別處", phone="0912-000-002")
    register.refresh()
    assert register.find(draft("洪小姐", "+886912000002")) == by_phone


def test_of_several_with_one_telephone_the_likeliest_is_taken(register: Register) -> None:
    make_customer(name="洪小姐", address=HOME, phone="0912345678", is_active=False)
    make_customer(name="別人", address="別處", phone="0912345678")
    same_place = make_customer(name="別人", address=HOME, phone="0912345678")
    same_name = make_customer(name="洪小姐", address="別處", phone="0912345678")
    register.refresh()
    assert register.find(draft("洪小姐", "+886912345678")) == same_name
    assert register.find(draft("某某", "+886912345678")) == same_place


def test_empty_name_or_address_finds_nobody(register: Register) -> None:
    make_customer(name="", address="")
    register.refresh()
    assert register.find(draft("", address="")) is None


def test_register_reads_on_from_where_it_was(register: Register) -> None:
    register.refresh()
    late = make_customer(phone="0912-345-678")
    register.refresh()
    assert register.find(draft("別人", "+886912345678", address="別處")) == late
