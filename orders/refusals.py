"""What orders say no to, in more than one place."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from web.refusals import Refusal


class VersionConflict(Refusal):
    """The order changed after the caller read it."""

    def __init__(self, version: int) -> None:
        detail = _("Someone else changed this order. Load it again; its version is now %(version)d.") % {
            "version": version
        }
        super().__init__("version_conflict", detail, attr="version", status=409, version=version)


def no_such_order() -> Refusal:
    return Refusal("not_found", _("There is no such order."), status=404)
