"""`manage.py sms_sandbox`: a simulated SMS provider on this machine, to try the site without real SMS."""

from __future__ import annotations

import signal
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from luckygas.testing.sandbox.receipts import is_loopback
from luckygas.testing.sandbox.server import Sandbox
from luckygas.testing.sandbox.telephones import BALANCE
from web.text import normalize_typed

PORT = 8025


class Command(BaseCommand):
    help = _("Runs a test SMS provider on this machine and shows what customers receive. Nothing leaves the machine.")
    # The sandbox also starts when the settings of the site are wrong.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=PORT, help=_("default 8025; 0 takes any free port"))
        parser.add_argument("--balance", type=int, default=BALANCE, help=_("points in the account at the start"))
        parser.add_argument(
            "--callback", type=parse_callback, action="append", default=[], metavar="GATEWAY=URL",
            help=_("receipt URL of a gateway, for messages without their own"),
        )  # fmt: skip

    def handle(self, *args: Any, port: int, balance: int, callback: list[tuple[str, str]], **options: Any) -> None:
        try:
            sandbox = Sandbox(port, callbacks=dict(callback), balance=balance)
        except (OSError, OverflowError):
            raise CommandError(
                _("Port %d cannot be opened. Choose another with --port; 0 takes any free port.") % port
            ) from None
        # Also handles SIGINT, because shells start background processes with SIGINT ignored.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.default_int_handler)
        with sandbox:
            self.stdout.write(_("Customers' telephones: %s/ (stop with Ctrl-C)") % sandbox.url)
            self.stdout.flush()
            try:
                signal.pause()
            except KeyboardInterrupt:
                self.stdout.write("")


def parse_callback(text: str) -> tuple[str, str]:
    gateway, _equals, url = normalize_typed(text).partition("=")
    if gateway not in ("mitake", "every8d") or not is_loopback(url):
        raise ArgumentTypeError(
            _(
                "“%s” cannot be used. Write a gateway and a URL on this machine: "
                "mitake=http://127.0.0.1:8000/… or every8d=…."
            )
            % text[:80]
        )
    return gateway, url
