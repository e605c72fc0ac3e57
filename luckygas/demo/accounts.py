"""Who can sign in to the demo.

The passwords are public, so that every run can print them: the command refuses where more than this machine could
reach the site.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User

from accounts.roles import Side
from dispatch.models import Driver


@dataclass(frozen=True, slots=True)
class Account:
    role: Side
    username: str
    password: str
    name: str
    phone: str = ""
    plate: str = ""


OFFICE = Account(Side.OFFICE, "office", "office-demo", "林會計")
CUSTOMER = Account(Side.CUSTOMER, "customer", "customer-demo", "")
DRIVERS = [
    Account(Side.DRIVER, "driver", "driver-demo", "陳志明", "0900-020-001", "AKT-2301"),
    Account(Side.DRIVER, "driver2", "driver2-demo", "黃建宏", "0900-020-002", "BDH-5162"),
    Account(Side.DRIVER, "driver3", "driver3-demo", "吳俊傑", "0900-020-003", "RBC-7718"),
]
ACCOUNTS = [OFFICE, *DRIVERS, CUSTOMER]


def make_user(account: Account) -> User:
    """The office of the demo may do everything, so that a newcomer sees everything."""
    office = account.role == Side.OFFICE
    return User.objects.create_user(
        account.username, password=account.password, first_name=account.name, is_staff=office, is_superuser=office
    )


def make_drivers() -> list[Driver]:
    return [
        Driver.objects.create(
            user=make_user(account), name=account.name, phone=account.phone, vehicle_plate=account.plate
        )
        for account in DRIVERS
    ]
