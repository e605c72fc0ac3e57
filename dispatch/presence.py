"""Returns which drivers are online. The app `realtime` provides the function, because this app must not import it."""

from __future__ import annotations

from collections.abc import Callable, Collection

_provider: Callable[[], Collection[int]] | None = None


def provide(online: Callable[[], Collection[int]] | None) -> None:
    """Sets the function that returns the ids of the drivers who are connected now; None removes it."""
    global _provider  # noqa: PLW0603  (one per process, set once at start)
    _provider = online


def online_driver_ids() -> Collection[int]:
    return _provider() if _provider is not None else frozenset()
