"""Fails a passed test if its output or logs hold a whole mobile number or a secret."""

from __future__ import annotations

import re
from collections.abc import Generator

import pytest

# Whole mobile numbers as people, providers and URLs write them. Masked numbers contain stars, so they do not match.
NUMBER = re.compile(
    r"(?<![0-9A-Za-z-])(?:\+|%2B)?(?:886|0)[- ]?9[0-9]{2}[- ]?[0-9]{3}[- ]?[0-9]{3}(?![0-9])", re.IGNORECASE
)
# Passwords, keys and callback secrets of the tests.
SECRETS = ("sandbox-password", "sandbox-key", "top-secret", "the-secret-of-callbacks", "s3cret")
LOGS = ("Captured stderr", "Captured log", "Captured stdout")


def leaking_lines(text: str) -> list[str]:
    """Returns the lines with a whole number or a secret."""
    return [line for line in text.splitlines() if NUMBER.search(line) or any(secret in line for secret in SECRETS)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    logs = (text for name, text in report.sections if name.startswith(LOGS))
    if report.passed and (lines := [line for text in logs for line in leaking_lines(text)]):
        report.outcome = "failed"
        report.longrepr = "A log holds a whole number or a secret:\n" + "\n".join(lines[:20])
    return report
