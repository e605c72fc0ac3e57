"""The performance goals, and whether a run reached them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.figures import Figure
from bench.targets import FASTAPI_ORDERS, PRODUCT, STOCK

BURST, ONE, CPU, REQUEST = "burst", "one at a time", "CPU a delivery", "CPU a request"
LOG, ALONE, CHANGES = f"{PRODUCT}, through the log", f"{PRODUCT}, the hub alone", f"{PRODUCT}, an order changes"
FASTAPI, WS, NCHAN, ONE_WRITE = (
    "FastAPI, a dictionary of sockets", "Node ws", "nginx with nchan", "C, one write() a socket and event",
)  # fmt: skip


class Missing(LookupError):
    """The run has no value for a goal."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal is reached if `value` is at most `bound`, or at least `bound` if `least` is true."""

    work: str
    value: Callable[[Values], float]
    bound: float
    unit: str
    least: bool = False

    def reached(self, value: float) -> bool:
        return value >= self.bound if self.least else value <= self.bound

    @property
    def wanted(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.bound:g} {self.unit}"


class Values:
    def __init__(self, figures: Sequence[Figure]) -> None:
        self._values = {(figure.scenario, figure.server, figure.name): figure.value for figure in figures}

    def of(self, scenario: str, server: str, name: str) -> float:
        value = self._values.get((scenario, server, name))
        if value is None:
            raise Missing(f"{scenario}: {server} was not measured")
        return value

    def ratio(self, scenario: str, above: str, below: str, name: str = CPU) -> float:
        return self.of(scenario, above, name) / self.of(scenario, below, name)


def product(scenario: str, name: str) -> Callable[[Values], float]:
    return lambda values: values.of(scenario, PRODUCT, name)


def cached(view: str) -> tuple[Goal, ...]:
    """The goals of a cached view. A view that misses one of them gets no cache."""

    def goal(name: str, least: float) -> Goal:
        return Goal(f"cache, {view}, {name}", lambda values: values.of("cache", view, name), least, "%", least=True)

    return goal("hit rate", 60), goal("queries saved", 50), goal("time saved", 40)


def lost(values: Values) -> float:
    return sum(values.of(f"Redis {fault}", PRODUCT, "deliveries lost") for fault in ("killed", "frozen", "half-open"))


def longest(values: Values) -> float:
    return max(values.of(f"Redis {fault}", PRODUCT, "longest delay") for fault in ("killed", "frozen", "half-open"))


GOALS = (
    Goal(
        "burst, stock Channels ÷ ours, through the log", lambda v: v.ratio(BURST, STOCK, LOG), 30, "times", least=True
    ),
    Goal("burst, the older FastAPI design ÷ ours", lambda v: v.ratio(BURST, FASTAPI, LOG), 4, "times", least=True),
    Goal("burst, ours ÷ Node ws", lambda v: v.ratio(BURST, LOG, WS), 1, "times"),
    Goal("burst, ours ÷ nchan", lambda v: v.ratio(BURST, LOG, NCHAN), 1, "times"),
    Goal("one at a time, the hub alone ÷ the C limit", lambda v: v.ratio(ONE, ALONE, ONE_WRITE), 1.5, "times"),
    Goal("one at a time, the whole path ÷ the C limit", lambda v: v.ratio(ONE, CHANGES, ONE_WRITE), 1.5, "times"),
    Goal("change → client, p50", product("latency", "p50"), 20, "ms"),
    Goal("change → client, p99", product("latency", "p99"), 100, "ms"),
    Goal("sockets held, idle, with heartbeats", product("idle", "sockets held"), 10_000, "", least=True),
    Goal("memory a socket", product("memory", "memory a socket"), 36, "KB"),
    Goal(
        "memory a socket ÷ stock Channels",
        lambda v: v.ratio("memory", PRODUCT, STOCK, "memory a socket"),
        0.75,
        "times",
    ),
    Goal("memory a client that does not read", product("slow reader", "memory a socket"), 1.2, "MB"),
    Goal("reconnect storm, all caught up", product("storm", "all caught up"), 5, "s"),
    Goal("reconnect storm, queries in all", product("storm", "queries in all"), 20, ""),
    Goal("jitter, delivered", product("jitter", "delivered"), 100, "%", least=True),
    Goal("jitter, p99 delay", product("jitter", "p99 delay"), 3, "s"),
    Goal("1,000 SMS owed, 100 ms each", product("SMS", "1000 owed are sent"), 15, "s"),
    Goal("board of 300 orders, event → paint, p95", product("board", "event → paint p95"), 100, "ms"),
    Goal("board of 300 orders, tasks over 50 ms", product("board", "tasks over 50 ms"), 0, ""),
    *cached("orders/statistics/"),
    Goal(
        "status over REST ÷ a bare DRF PATCH",
        lambda v: v.ratio("status over REST", f"{PRODUCT}, SMS left owed", "a bare DRF PATCH of one column", REQUEST),
        2,
        "times",
    ),
    Goal("bulk update of 1,000 orders, queries an order", product("bulk update", "queries an order"), 6, ""),
    Goal("bulk update of 1,000 orders, before SMS", product("bulk update", "before SMS"), 4, "s"),
    Goal("a page of 50 of 100,000 orders, queries", product("page of orders", "queries"), 6, ""),
    Goal(
        "a page of 50 of 100,000 orders ÷ FastAPI and SQLAlchemy",
        lambda v: v.ratio("page of orders", PRODUCT, FASTAPI_ORDERS, REQUEST),
        1.5,
        "times",
    ),
    Goal("health live, p99", product("health", "live, p99"), 5, "ms"),
    Goal("health ready, p99", product("health", "ready, p99"), 10, "ms"),
    Goal("start", product("at rest", "first answer after"), 3, "s"),
    Goal("memory of a process at rest", product("at rest", "memory of a process"), 130, "MB"),
    Goal("Redis killed, frozen, half-open: lost", lost, 0, ""),
    Goal("Redis killed, frozen, half-open: longest delay", longest, 2, "s"),
)
