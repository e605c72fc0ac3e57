"""Who can sign in to the demo.

The passwords are public, so that every run can print them: the command refuses where more than this machine could
reach the site.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User

from accounts.models import StaffRole
from accounts.roles import STAFF, Role
from dispatch.models import Driver


@dataclass(frozen=True, slots=True)
class Account:
    role: Role
    username: str
    password: str
    name: str
    phone: str = ""
    plate: str = ""


OFFICE = Account(Role.OWNER, "office", "office-demo", "林老闆")
MANAGER = Account(Role.MANAGER, "manager", "manager-demo", "王店長")
CLERK = Account(Role.CLERK, "clerk", "clerk-demo", "張雅婷")
CUSTOMER = Account(Role.CUSTOMER, "customer", "customer-demo", "")
DRIVERS = [
    Account(Role.DRIVER, "driver", "driver-demo", "陳志明", "0900-020-001", "AKT-2301"),
    Account(Role.DRIVER, "driver2", "driver2-demo", "黃建宏", "0900-020-002", "BDH-5162"),
    Account(Role.DRIVER, "driver3", "driver3-demo", "吳俊傑", "0900-020-003", "RBC-7718"),
]
ACCOUNTS = [OFFICE, MANAGER, CLERK, *DRIVERS, CUSTOMER]


def make_user(account: Account) -> User:
    is_staff = account.role in STAFF
    user = User.objects.create_user(
        account.username, password=account.password, first_name=account.name, is_staff=is_staff
    )
    if is_staff:
        StaffRole.give(user, account.role)
    return user


def make_drivers() -> list[Driver]:
    return [
        Driver.objects.create(
            user=make_user(account), name=account.name, phone=account.phone, vehicle_plate=account.plate
        )
        for account in DRIVERS
    ]
