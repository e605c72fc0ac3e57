"""Callbacks that run once after the commit, however often the transaction registers them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from django.db import DEFAULT_DB_ALIAS, transaction


class _Batch:
    """Collects the calls of one function in one transaction. The first callback after the commit makes the one call."""

    def __init__(self, function: Callable[..., None]) -> None:
        self.function, self.arguments, self.is_done = function, list[Any](), False

    def run(self) -> None:
        if not self.is_done:
            self.is_done = True
            self.function(*self.arguments)


class _OpenBatches(threading.local):
    """The batches of this thread's open transactions.

    Only Django's list of callbacks holds a strong reference to a batch. A rollback empties that list and so
    discards the batch.
    """

    def __init__(self) -> None:
        self.batches: WeakValueDictionary[tuple[str, Callable[..., None]], _Batch] = WeakValueDictionary()


_open = _OpenBatches()


def once_after_commit(function: Callable[..., None], *arguments: Any, using: str = DEFAULT_DB_ALIAS) -> None:
    """Calls `function` once after the commit, with the arguments of every call in the transaction.

    Outside of a transaction calls it at once. If it raises, Django logs the exception.

    If a savepoint is rolled back and no other call remains, `function` is not called. If another call remains, it also
    gets the arguments of the calls that were rolled back.
    """
    batch = _open.batches.get((using, function))
    if batch is None or batch.is_done:
        batch = _open.batches[using, function] = _Batch(function)
    batch.arguments += arguments
    transaction.on_commit(batch.run, using=using, robust=True)
