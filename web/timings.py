"""Measures the duration of named operations and of SQL queries (docs/operations.md)."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from functools import cache, wraps
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

from web import flags, metrics

P = ParamSpec("P")
Result = TypeVar("Result")
# Cached, because `labels()` costs more than `observe()`.
_operation, _sql = cache(metrics.OPERATIONS.labels), cache(metrics.SQL.labels)


@cache
def instance() -> str:
    """A unique name for this process. The random part is needed because two containers may share host and pid."""
    return f"{socket.gethostname()[-60:]}:{os.getpid()}:{secrets.token_hex(3)}"


def measure(operation: str) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """Decorator: measures each call under the name `operation` while the switch performance_monitoring is on."""

    def decorate(function: Callable[P, Result]) -> Callable[P, Result]:
        @wraps(function)
        def timed(*args: P.args, **kwargs: P.kwargs) -> Result:
            if not flags.is_on_from_memory(flags.PERFORMANCE):
                return function(*args, **kwargs)
            started = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                _operation(operation).observe(perf_counter() - started)

        return timed

    return decorate


def _time_sql(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    started = perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        seconds = perf_counter() - started
        _sql(context["connection"].alias).observe(seconds)
        if flags.is_on_from_memory(flags.PERFORMANCE):
            _operation("sql").observe(seconds)


def connection_made(connection: Any, **kwargs: Any) -> None:
    """Receiver of `connection_created`: measures all queries of the new connection."""
    if _time_sql not in connection.execute_wrappers:
        connection.execute_wrappers.append(_time_sql)
