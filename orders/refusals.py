"""What the house says no to: one exception, which REST, sockets, pages and commands each dress in their way."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Refusal(Exception):
    """A request that was understood and is refused; nothing was changed.

    `code` is stable and for programs, `detail` for people, `attr` the field it is about, `status` the HTTP status, and
    `version` the order's present version where the caller's was too old.
    """

    def __init__(
        self,
        code: str,
        detail: str | Promise,
        *,
        attr: str | None = None,
        status: int = 400,
        version: int | None = None,
    ) -> None:
        super().__init__(code, detail)
        self.code, self.detail, self.attr, self.status, self.version = code, detail, attr, status, version

    def __str__(self) -> str:
        return str(self.detail)


class VersionConflict(Refusal):
    """The order changed after the caller read it."""

    def __init__(self, version: int) -> None:
        detail = _("Someone else changed this order. Load it again; its version is now %(version)d.") % {
            "version": version
        }
        super().__init__("version_conflict", detail, attr="version", status=409, version=version)


def no_such_order() -> Refusal:
    return Refusal("not_found", _("There is no such order."), status=404)
