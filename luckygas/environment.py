"""The environment, in which every NAME may also be given as NAME_FILE: the path of a file that holds the value.

As Docker and systemd hand out secrets (`LoadCredential=`), so that no listing of processes shows them.
"""

from __future__ import annotations

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
