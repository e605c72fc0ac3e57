"""Work for after the commit, done once however often the transaction asks for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from django.db import DEFAULT_DB_ALIAS, transaction


class _Batch:
    """The calls of one function in one transaction: the first that the commit runs does the work of all."""

    def __init__(self, function: Callable[..., None]) -> None:
        self.function, self.arguments, self.is_done = function, list[Any](), False

    def run(self) -> None:
        if not self.is_done:
            self.is_done = True
            self.function(*self.arguments)


class _Open(threading.local):
    """Only Django's own list of callbacks keeps a batch alive, and a rollback empties that."""

    def __init__(self) -> None:
        self.batches: WeakValueDictionary[tuple[str, Callable[..., None]], _Batch] = WeakValueDictionary()


_open = _Open()


def once_after_commit(function: Callable[..., None], *arguments: Any, using: str = DEFAULT_DB_ALIAS) -> None:
    """Calls `function` once after the commit, with the arguments of every call in the transaction; failures are logged.

    A rollback to a savepoint takes its calls back; where others remain, their arguments are among the rest.
    """
    batch = _open.batches.get((using, function))
    if batch is None or batch.is_done:
        batch = _open.batches[using, function] = _Batch(function)
    batch.arguments += arguments
    transaction.on_commit(batch.run, using=using, robust=True)
