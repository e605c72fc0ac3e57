"""The environment, in which every NAME may also be given as NAME_FILE: the path of a file that holds the value.

As Docker and systemd hand out secrets (`LoadCredential=`), so that no listing of processes shows them.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping


class Variables(FileAwareMapping):  # type: ignore[misc]  # django-environ has no types
    def __getitem__(self, name: str) -> str:
        """Without the end of the line that an editor or `echo` writes. Raises KeyError, ImproperlyConfigured."""
        try:
            value: str = super().__getitem__(name)
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(f"{name}_FILE: {error}") from error
        value = value.rstrip("\r\n") if self.env.get(f"{name}_FILE") else value
        return value.replace("$", r"\$")  # which `Environment` takes back


class Environment(environ.FileAwareEnv):  # type: ignore[misc]
    """A `$` is a letter of the value: django-environ takes what begins with one for the name of another variable."""

    ENVIRON = Variables()

    def __init__(self) -> None:
        super().__init__()
        self.escape_proxy = True

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        """Raises ImproperlyConfigured, with the name, also where the value is no number."""
        try:
            return super().get_value(var, *args, **kwargs)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var}: {error}") from error

    def db_url(self, var: str, default: str) -> dict[str, Any]:
        """Of Django's settings. Its URL is never said: it may hold a password. Raises ImproperlyConfigured."""
        with suppress(ValueError), warnings.catch_warnings(action="ignore"):
            if (found := super().db_url(var, default=default)).get("ENGINE"):
                return dict(found)
        raise ImproperlyConfigured(f"{var} is no URL of a database: postgres://user:password@host:5432/name")
