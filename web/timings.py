"""How long things take: named operations and SQL (docs/operations.md)."""

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
# What `labels` returns; asked once for each name, for it costs more than to observe.
_operation, _sql = cache(metrics.OPERATIONS.labels), cache(metrics.SQL.labels)


@cache
def instance() -> str:
    """The name of this process: host and process id may be alike in two containers, the random part is not."""
    return f"{socket.gethostname()[-60:]}:{os.getpid()}:{secrets.token_hex(3)}"


def measured(operation: str) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """Has each call of a function timed under this name, while the switch is on."""

    def decorate(function: Callable[P, Result]) -> Callable[P, Result]:
        @wraps(function)
        def timed(*args: P.args, **kwargs: P.kwargs) -> Result:
            if not flags.known(flags.PERFORMANCE):
                return function(*args, **kwargs)
            begun = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                _operation(operation).observe(perf_counter() - begun)

        return timed

    return decorate


def _time_sql(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    begun = perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        seconds = perf_counter() - begun
        _sql(context["connection"].alias).observe(seconds)
        if flags.known(flags.PERFORMANCE):
            _operation("sql").observe(seconds)


def connection_made(connection: Any, **kwargs: Any) -> None:
    """Has the queries of a new database connection timed."""
    if _time_sql not in connection.execute_wrappers:
        connection.execute_wrappers.append(_time_sql)
