"""Which drivers are online. Sockets belong to an app further to the right, which provides the answer."""

from __future__ import annotations

from collections.abc import Callable, Collection

_provider: Callable[[], Collection[int]] | None = None


def provide(online: Callable[[], Collection[int]] | None) -> None:
    """Names the function that answers the ids of the drivers who are connected now."""
    global _provider  # noqa: PLW0603  (one a site, named once at start)
    _provider = online


def online_driver_ids() -> Collection[int]:
    return _provider() if _provider is not None else frozenset()
