"""Reads the environment. Every NAME may also be given as NAME_FILE: the path of a file with the value.

Docker and systemd (`LoadCredential=`) pass secrets as files, which a list of processes does not show.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

from web.text import remove_invisible

# Loopback hosts, in the form of `urlsplit(…).hostname`.
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
Reader = Callable[[str], dict[str, Any]]


class Variables(FileAwareMapping):  # type: ignore[misc]  # django-environ has no types
    def __getitem__(self, name: str) -> str:
        """Returns the value without invisible characters, and with `\\$` for `$`.

        Also removes the line ends at the end of a file, which editors and `echo` add. Raises KeyError if neither the
        variable nor its file is set, and ImproperlyConfigured if the file cannot be read.
        """
        try:
            value: str = super().__getitem__(name)
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(f"{name}_FILE: {error}") from error
        value = value.rstrip("\r\n") if self.env.get(f"{name}_FILE") else value
        return remove_invisible(value).replace("$", r"\$")  # `Environment` undoes the escape


class Environment(environ.FileAwareEnv):  # type: ignore[misc]
    """Takes `$` literally. django-environ would read a value that begins with `$` as another variable's name."""

    ENVIRON = Variables()

    def __init__(self) -> None:
        super().__init__()
        self.escape_proxy = True

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        """Like the method of django-environ, but raises ImproperlyConfigured if the value is not a valid number."""
        try:
            return super().get_value(var, *args, **kwargs)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var}: {error}") from error

    def db_url(self, var: str, default: str) -> dict[str, Any]:
        return self._url(var, default, self.db_url_config, "ENGINE", "postgres://user:password@host:5432/name")

    def email_url(self, var: str, default: str) -> dict[str, Any]:
        return self._url(var, default, self.email_url_config, "EMAIL_BACKEND", "smtp+tls://user:password@host:587")

    def _url(self, var: str, default: str, read: Reader, needed: str, example: str) -> dict[str, Any]:
        """Converts a URL to Django's settings.

        Raises ImproperlyConfigured for an invalid URL. The error's text does not repeat the value, which may hold a
        password. `needed`: the setting that every valid URL yields.
        """
        value = self.get_value(var, default=default)
        with suppress(ValueError, ImproperlyConfigured), warnings.catch_warnings(action="ignore"):
            if (found := read(value)).get(needed):
                return found
        raise ImproperlyConfigured(f"{var} is not a URL like {example}. In a password, write / as %2F and @ as %40.")
