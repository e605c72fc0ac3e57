"""Writes the results of `make load` as tables of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.callers import percentile
from bench.report import PAGE, machine_lines
from bench.stress_load import CHANGE, READ, WITH_SMS, Answers
from bench.whole_site import Usage

BEGIN, END = "<!-- load: written by bench.stress -->", "<!-- end of load -->"
# The p99 that the older system promised, in ms.
PROMISED_P99 = 50
# A process above this share of a core is a bottleneck.
FULL_CORE = 0.9


@dataclass(frozen=True)
class Result:
    """The result of one step.

    `sms`: SMS due, sent, and sent per second. `used`: share of a core and MB of each process. `clients`: share of a
    core of the load clients. `event_p50`, `event_p99` in ms.
    """

    factor: int
    sockets: int
    rate: float
    answers: Answers
    confirmed: int
    burst_seconds: float
    event_p50: float
    event_p99: float
    deliveries: int
    lost: int
    twice: int
    closed: int
    sms: tuple[int, int, float]
    seconds: float
    used: Mapping[str, Usage]
    clients: float

    def p(self, kind: str, share: float) -> float:
        return percentile(self.answers.times[kind] or [0.0], share)

    @property
    def plain(self) -> list[float]:
        """The times of requests that do not wait for an SMS."""
        return self.answers.times[READ] + self.answers.times[CHANGE]

    @property
    def wrong(self) -> int:
        """The number of failed requests, deliveries, sockets and SMS."""
        owed, sent, _ = self.sms
        return len(self.answers.errors) + self.lost + self.twice + self.closed + owed - sent

    def gave(self) -> Iterator[str]:
        """Descriptions of what failed or was exhausted."""
        owed, sent, _ = self.sms
        if self.answers.errors:
            yield f"{len(self.answers.errors)} errors (the first: {self.answers.errors[0]})"
        if (p99 := percentile(self.plain, 0.99)) > PROMISED_P99:
            yield f"p99 of a request {p99:,.0f} ms"
        if self.lost or self.twice or self.closed:
            yield f"{self.lost:,} deliveries lost, {self.twice:,} twice, {self.closed:,} sockets closed"
        if sent < owed:
            yield f"{owed - sent:,} of {owed:,} SMS not sent"
        for name, usage in self.used.items():
            if usage.cpu > FULL_CORE:
                yield f"{name}: {usage.cpu:.0%} of a core"
        if (whole := sum(usage.cpu for usage in self.used.values()) + self.clients) > 1.8:
            yield f"the machine: {whole:.0%} of two cores' 200 %"

    def text(self) -> str:
        return "\n".join([_step(self), _processes([self]), *self.gave()])


def write(results: Sequence[Result], machine: dict[str, str]) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    parts = [machine_lines(machine), _promise(results[0]), _steps(results), _processes(results), _gave(results)]
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}")


def _promise(result: Result) -> str:
    """The table that compares the first step with what the older system promised."""
    load = f"{result.sockets:,} sockets, {result.rate:g} requests/s, {result.confirmed:,} events and SMS"
    p99 = percentile(result.plain or [0.0], 0.99)
    rows = [
        f"| {load}: requests, deliveries, sockets, SMS that failed | 0 | {result.wrong:,} | {_met(not result.wrong)} |",
        f"| {load}: p99 of a request | ≤ {PROMISED_P99} ms | {p99:,.0f} ms | {_met(p99 <= PROMISED_P99)} |",
    ]
    return "\n".join(["| goal | wanted | measured | |", "|---|---|---|---|", *rows])


def _met(reached: bool) -> str:
    return "reached" if reached else "**missed**"


def _steps(results: Sequence[Result]) -> str:
    names = (
        "sockets, requests a second, orders at once", "requests", "errors", "read p50, p99", "change p50, p99",
        "change and its SMS p50, p99", "1,000 orders confirmed", "event p50, p99", "deliveries", "lost", "SMS sent",
        "a second",
    )  # fmt: skip
    return "\n".join([f"| {' | '.join(names)} |", "|---" * len(names) + "|", *map(_step, results)])


def _step(result: Result) -> str:
    times = [f"{result.p(kind, 0.5):,.0f}, {result.p(kind, 0.99):,.0f} ms" for kind in (READ, CHANGE, WITH_SMS)]
    owed, sent, speed = result.sms
    cells = [
        f"{result.sockets:,}, {result.rate:g}, {result.confirmed:,}", f"{result.answers.count:,}",
        str(len(result.answers.errors)), *times, f"{result.burst_seconds:.1f} s",
        f"{result.event_p50:,.0f}, {result.event_p99:,.0f} ms", f"{result.deliveries:,}", f"{result.lost:,}",
        f"{sent:,} of {owed:,}", f"{speed:.0f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _processes(results: Sequence[Result]) -> str:
    names = list(results[0].used)
    head = [f"| CPU and memory | {' | '.join(names)} | load clients |", "|---" * (len(names) + 2) + "|"]
    rows = []
    for result in results:
        cells = [f"{usage.cpu:.0%}, {usage.memory:,.0f} MB" for usage in result.used.values()]
        rows.append(f"| × {result.factor}, {result.seconds:.0f} s | {' | '.join(cells)} | {result.clients:.0%} |")
    return "\n".join([*head, *rows])


def _gave(results: Sequence[Result]) -> str:
    rows = [f"| × {result.factor} | {'; '.join(result.gave()) or 'nothing'} |" for result in results]
    return "\n".join(["| load | what gave |", "|---|---|", *rows])
