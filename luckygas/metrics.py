"""What Prometheus learns of requests and of SQL."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from prometheus_client import Counter, Histogram, Summary

REQUESTS = Counter("luckygas_http_requests", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "luckygas_http_request_seconds",
    "From the request to the answer.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
SQL = Summary("luckygas_sql_query_seconds", "What the database took, by its alias.", ["alias"])


def time_sql() -> None:
    """Every connection made from now on is timed."""
    connection_created.connect(_time, dispatch_uid="luckygas.time_sql")


def _time(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if not any(isinstance(wrapper, Timer) for wrapper in connection.execute_wrappers):
        connection.execute_wrappers.append(Timer(connection.alias))


class Timer:
    def __init__(self, alias: str) -> None:
        self._seconds = SQL.labels(alias)

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        started = perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self._seconds.observe(perf_counter() - started)
