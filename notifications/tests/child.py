"""Starts another process with the test's database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.db import connection

from luckygas.testing.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
# Prefixes of the settings that the process gets from the test.
SETTING_PREFIXES = ("SMS_", "MITAKE_", "EVERY8D_")


def environment() -> dict[str, str]:
    """Returns environment variables with the test's database and provider."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{database['NAME']}"
    else:
        url = f"postgres://{database['USER']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    values = {name: getattr(settings, name) for name in dir(settings) if name.startswith(SETTING_PREFIXES)}
    texts = {name: str(value) for name, value in values.items() if isinstance(value, str | int | float)}
    return os.environ | {"DATABASE_URL": url} | texts


def start(*arguments: str, **extra: str) -> subprocess.Popen[str]:
    """Starts `python …` in the project, with `extra` in its environment."""
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=environment() | extra, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def start_confirming(order_id: int, before: str = "") -> subprocess.Popen[str]:
    """Starts a process that runs the code `before` and then confirms an order."""
    code = f"""
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "luckygas.settings"
django.setup()
from notifications import sender
from orders.models import Order
{before}
Order.objects.get(pk={order_id}).transition_to("confirmed")
"""
    return start("-c", code)


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Waits for the process. Returns its exit code and output."""
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, output
