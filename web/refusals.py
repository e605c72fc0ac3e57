"""What the house says no to: one exception, which REST, sockets, pages and commands each dress in their way."""

from __future__ import annotations

from django.utils.functional import Promise


class Refusal(Exception):
    """A request that was understood and is refused; nothing was changed.

    `code` is stable and for programs, `detail` for people, `attr` the field it is about, `status` the HTTP status,
    `version` the present version where the caller's was too old, and `wait` the seconds until it may be tried again.
    """

    def __init__(
        self,
        code: str,
        detail: str | Promise,
        *,
        attr: str | None = None,
        status: int = 400,
        version: int | None = None,
        wait: int | None = None,
    ) -> None:
        super().__init__(code, detail)
        self.code, self.detail, self.attr, self.status = code, detail, attr, status
        self.version, self.wait = version, wait

    def __str__(self) -> str:
        return str(self.detail)
