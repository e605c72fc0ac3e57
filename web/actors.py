"""Who acts, and from where: what every change says of itself."""

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
    """Who acts, and from where. `None` is the system itself: a command, the import."""

    by: User | None = None
    source: str = Source.COMMAND
