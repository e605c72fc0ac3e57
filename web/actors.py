"""The actor of a change: the user, and the channel the change came through."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import models
from django.utils.translation import gettext_lazy as _


class Source(models.TextChoices):
    ADMIN = "admin", _("admin")
    REST = "rest", _("API")
    SOCKET = "socket", _("socket")
    PAGE = "page", _("page")
    COMMAND = "command", _("command")
    IMPORT = "import", _("import")


@dataclass(frozen=True, slots=True)
class Actor:
    """A user and a channel (a `Source`). `by` is None when no user acts, for example in a management command."""

    by: User | None = None
    source: str = Source.COMMAND
