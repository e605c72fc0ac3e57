"""The exception for a request that business rules refuse. REST, sockets, pages and commands each show it their way."""

from __future__ import annotations

from django.utils.functional import Promise


class Refusal(Exception):
    """The refusal of a well-formed request. Nothing was changed.

    `code` is stable and for programs, `detail` is for people, `attr` is the invalid field, `status` the HTTP status.
    `version` is the current version if the caller's was stale, and `wait` the seconds until a retry may succeed.
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
