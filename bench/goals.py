"""The performance goals, and whether a run reached them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.figures import Figure
from bench.targets import FASTAPI_ORDERS, PRODUCT, STOCK

BURST, ONE, CPU, REQUEST = "burst", "one at a time", "CPU per delivery", "CPU per request"
LOG, ALONE, CHANGES = f"{PRODUCT}, through the log", f"{PRODUCT}, the hub alone", f"{PRODUCT}, an order changes"
FASTAPI, WS, NCHAN, ONE_WRITE = (
    "FastAPI, a dictionary of sockets", "Node ws", "nginx with nchan", "C, one write() per socket and event",
)  # fmt: skip


class Missing(LookupError):
    """The run has no value for a goal."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal is reached if `value` is at most `bound`, or at least `bound` if `is_minimum` is true."""

    work: str
    value: Callable[[Values], float]
    bound: float
    unit: str
    is_minimum: bool = False

    def reached(self, value: float) -> bool:
        return value >= self.bound if self.is_minimum else value <= self.bound

    @property
    def wanted(self) -> str:
        return f"{'≥' if self.is_minimum else '≤'} {self.bound:g} {self.unit}"


class Values:
    def __init__(self, figures: Sequence[Figure]) -> None:
        self._values = {(figure.scenario, figure.server, figure.name): figure.value for figure in figures}

    def of(self, scenario: str, server: str, name: str) -> float:
        value = self._values.get((scenario, server, name))
        if value is None:
            raise Missing(f"{scenario}: {server} was not measured")
        return value

    def ratio(self, scenario: str, numerator: str, denominator: str, name: str = CPU) -> float:
        return self.of(scenario, numerator, name) / self.of(scenario, denominator, name)


def product(scenario: str, name: str) -> Callable[[Values], float]:
    return lambda values: values.of(scenario, PRODUCT, name)


def cache_goals(view: str) -> tuple[Goal, ...]:
    """The goals for caching a view. A view that misses one of them gets no cache."""

    def goal(name: str, bound: float) -> Goal:
        return Goal(
            f"cache, {view}, {name}", lambda values: values.of("cache", view, name), bound, "%", is_minimum=True
        )

    return goal("hit rate", 60), goal("queries saved", 50), goal("time saved", 40)


def lost_deliveries(values: Values) -> float:
    return sum(values.of(f"Redis {fault}", PRODUCT, "deliveries lost") for fault in ("killed", "frozen", "half-open"))


def longest_delay(values: Values) -> float:
    return max(values.of(f"Redis {fault}", PRODUCT, "longest delay") for fault in ("killed", "frozen", "half-open"))


GOALS = (
    Goal(
        "burst, stock Channels ÷ ours, through the log",
        lambda v: v.ratio(BURST, STOCK, LOG),
        30,
        "times",
        is_minimum=True,
    ),
    Goal("burst, the older FastAPI design ÷ ours", lambda v: v.ratio(BURST, FASTAPI, LOG), 4, "times", is_minimum=True),
    Goal("burst, ours ÷ Node ws", lambda v: v.ratio(BURST, LOG, WS), 1, "times"),
    Goal("burst, ours ÷ nchan", lambda v: v.ratio(BURST, LOG, NCHAN), 1, "times"),
    Goal("one at a time, the hub alone ÷ the C limit", lambda v: v.ratio(ONE, ALONE, ONE_WRITE), 1.5, "times"),
    Goal("one at a time, the whole path ÷ the C limit", lambda v: v.ratio(ONE, CHANGES, ONE_WRITE), 1.5, "times"),
    Goal("change → client, p50", product("latency", "p50"), 20, "ms"),
    Goal("change → client, p99", product("latency", "p99"), 100, "ms"),
    Goal("open sockets, idle, with heartbeats", product("idle", "open sockets"), 10_000, "", is_minimum=True),
    Goal("memory per socket", product("memory", "memory per socket"), 36, "KB"),
    Goal(
        "memory per socket ÷ stock Channels",
        lambda v: v.ratio("memory", PRODUCT, STOCK, "memory per socket"),
        0.75,
        "times",
    ),
    Goal("memory per client that does not read", product("slow reader", "memory per socket"), 1.2, "MB"),
    Goal("reconnect storm, time until all caught up", product("storm", "time until all caught up"), 5, "s"),
    Goal("reconnect storm, total queries", product("storm", "total queries"), 20, ""),
    Goal("jitter, delivered", product("jitter", "delivered"), 100, "%", is_minimum=True),
    Goal("jitter, p99 delay", product("jitter", "p99 delay"), 3, "s"),
    Goal("1,000 pending SMS, 100 ms each", product("SMS", "1000 pending SMS sent"), 15, "s"),
    Goal("board of 300 orders, event → paint, p95", product("board", "event → paint p95"), 100, "ms"),
    Goal("board of 300 orders, tasks over 50 ms", product("board", "tasks over 50 ms"), 0, ""),
    *cache_goals("orders/statistics/"),
    Goal(
        "status over REST ÷ a bare DRF PATCH",
        lambda v: v.ratio(
            "status over REST", f"{PRODUCT}, SMS left pending", "a bare DRF PATCH of one column", REQUEST
        ),
        2,
        "times",
    ),
    Goal("bulk update of 1,000 orders, queries per order", product("bulk update", "queries per order"), 6, ""),
    Goal("bulk update of 1,000 orders, without SMS", product("bulk update", "without SMS"), 4, "s"),
    Goal("a page of 50 of 100,000 orders, queries", product("page of orders", "queries"), 6, ""),
    Goal(
        "a page of 50 of 100,000 orders ÷ FastAPI and SQLAlchemy",
        lambda v: v.ratio("page of orders", PRODUCT, FASTAPI_ORDERS, REQUEST),
        1.5,
        "times",
    ),
    Goal("health live, p99", product("health", "live, p99"), 5, "ms"),
    Goal("health ready, p99", product("health", "ready, p99"), 10, "ms"),
    Goal("time from start to first response", product("at rest", "time to first response"), 3, "s"),
    Goal("memory of an idle process", product("at rest", "memory of a process"), 130, "MB"),
    Goal("Redis killed, frozen, half-open: lost", lost_deliveries, 0, ""),
    Goal("Redis killed, frozen, half-open: longest delay", longest_delay, 2, "s"),
)
