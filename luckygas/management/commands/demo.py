"""`manage.py demo`: fills an empty database with a small depot. Idempotent."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from tqdm import tqdm

from importing.report import Report
from luckygas.demo.depot import (
    ACCOUNTS,
    CLERK,
    MANAGER,
    OFFICE,
    DemoStaff,
    advance_orders,
    import_sheets,
    make_drivers,
    make_products,
    make_user,
    place_customers,
)
from luckygas.environment import LOOPBACK


class Command(BaseCommand):
    help = _("Fills an empty database with demo data and prints the demo's accounts. A second run changes nothing.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--force", action="store_true", help=_("fill the database even if other machines can reach the site")
        )

    def handle(self, *args: Any, force: bool, **options: Any) -> None:
        if not force and not is_private():
            raise CommandError(
                _(
                    "Other machines may reach this site or its database, and the demo's passwords are public. "
                    "Use SQLite and list only this machine in ALLOWED_HOSTS. To fill the database anyway, add --force."
                )
            )
        names = {account.username for account in ACCOUNTS}
        existing = set(User.objects.filter(username__in=names).values_list("username", flat=True))
        if existing and existing != names:
            raise CommandError(
                _("Only some accounts of the demo exist: %s. Please use an empty database.")
                % ", ".join(sorted(existing))
            )
        if existing:
            self.stdout.write(_("The demo data is ready."))
        else:
            self.fill()
        self.print_accounts()

    def fill(self) -> None:
        """Creates the data in one transaction, so that an interrupted run leaves nothing behind."""
        today = timezone.localdate()
        with transaction.atomic():
            make_products()
            office, *_others = [make_user(account) for account in (OFFICE, MANAGER, CLERK)]
            staff = DemoStaff(office, make_drivers())
            reports = import_sheets(today, partial(tqdm, leave=False, file=sys.stderr, disable=None))
            place_customers()
            advance_orders(staff, today)
        self.print_reports(reports)

    def print_reports(self, reports: list[Report]) -> None:
        self.stdout.write(_("Two sheets were imported. Their days were moved to today and tomorrow:"))
        for report in reports:
            self.stdout.write(f"  {report.summary()}")

    def print_accounts(self) -> None:
        heading = (_("name"), _("password"), _("role"))
        for name, password, role in (heading, *((a.username, a.password, a.role.label) for a in ACCOUNTS)):
            self.stdout.write(f"  {name:<12}{password:<16}{role}")


def is_private() -> bool:
    """Whether the site uses SQLite and only this machine can reach it."""
    return connection.vendor == "sqlite" and {host.strip("[]") for host in settings.ALLOWED_HOSTS} <= LOOPBACK
