"""Writes the results of `make load` as tables of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.callers import percentile
from bench.report import PAGE, machine_lines
from bench.stress_load import CHANGE, READ, WITH_SMS, Responses
from bench.whole_site import Usage

BEGIN, END = "<!-- load: written by bench.stress -->", "<!-- end of load -->"
# The p99 that the older system promised, in ms.
PROMISED_P99 = 50
# A process that uses more than this share of a core counts as exhausted.
FULL_CORE = 0.9


@dataclass(frozen=True)
class Result:
    """The result of one step.

    `sms` has the number of SMS, of those sent, and the SMS sent per second. `used` has the share of a core and the MB
    of each process. `clients` is the share of a core that the load clients used. `event_p50` and `event_p99` are in ms.
    """

    factor: int
    sockets: int
    rate: float
    responses: Responses
    confirmed: int
    burst_seconds: float
    event_p50: float
    event_p99: float
    deliveries: int
    lost: int
    duplicates: int
    closed: int
    sms: tuple[int, int, float]
    seconds: float
    used: Mapping[str, Usage]
    clients: float

    def percentile_ms(self, kind: str, share: float) -> float:
        return percentile(self.responses.times[kind] or [0.0], share)

    @property
    def times_without_sms(self) -> list[float]:
        """The times of requests that do not wait for an SMS."""
        return self.responses.times[READ] + self.responses.times[CHANGE]

    @property
    def failed(self) -> int:
        """The number of failed requests, lost or duplicate deliveries, closed sockets, and SMS that were not sent."""
        due, sent, _ = self.sms
        return len(self.responses.errors) + self.lost + self.duplicates + self.closed + due - sent

    def failures(self) -> Iterator[str]:
        """Texts about what failed or was exhausted."""
        due, sent, _ = self.sms
        if self.responses.errors:
            yield f"{len(self.responses.errors)} errors (the first: {self.responses.errors[0]})"
        if (p99 := percentile(self.times_without_sms, 0.99)) > PROMISED_P99:
            yield f"p99 of a request {p99:,.0f} ms"
        if self.lost or self.duplicates or self.closed:
            yield f"{self.lost:,} deliveries lost, {self.duplicates:,} duplicates, {self.closed:,} sockets closed"
        if sent < due:
            yield f"{due - sent:,} of {due:,} SMS not sent"
        for name, usage in self.used.items():
            if usage.cpu > FULL_CORE:
                yield f"{name}: {usage.cpu:.0%} of a core"
        if (whole := sum(usage.cpu for usage in self.used.values()) + self.clients) > 1.8:
            yield f"the machine: {whole:.0%} of the 200 % of two cores"

    def text(self) -> str:
        return "\n".join([_step(self), _processes([self]), *self.failures()])


def write(results: Sequence[Result], machine: dict[str, str]) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    parts = [
        machine_lines(machine),
        _promise(results[0]),
        _steps(results),
        _processes(results),
        _failures_table(results),
    ]
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{after}")


def _promise(result: Result) -> str:
    """The table that compares the first step with the promises of the older system."""
    load = f"{result.sockets:,} sockets, {result.rate:g} requests/s, {result.confirmed:,} events and SMS"
    p99 = percentile(result.times_without_sms or [0.0], 0.99)
    rows = [
        f"| {load}: failed requests, deliveries, sockets, SMS | 0 | {result.failed:,} | {_result(not result.failed)} |",
        f"| {load}: p99 of a request | ≤ {PROMISED_P99} ms | {p99:,.0f} ms | {_result(p99 <= PROMISED_P99)} |",
    ]
    return "\n".join(["| goal | wanted | measured | |", "|---|---|---|---|", *rows])


def _result(reached: bool) -> str:
    return "reached" if reached else "**missed**"


def _steps(results: Sequence[Result]) -> str:
    names = (
        "sockets, requests per second, orders in bulk", "requests", "errors", "read p50, p99", "change p50, p99",
        "change with SMS p50, p99", "1,000 orders confirmed", "event p50, p99", "deliveries", "lost", "SMS sent",
        "SMS per second",
    )  # fmt: skip
    return "\n".join([f"| {' | '.join(names)} |", "|---" * len(names) + "|", *map(_step, results)])


def _step(result: Result) -> str:
    times = [
        f"{result.percentile_ms(kind, 0.5):,.0f}, {result.percentile_ms(kind, 0.99):,.0f} ms"
        for kind in (READ, CHANGE, WITH_SMS)
    ]
    due, sent, speed = result.sms
    cells = [
        f"{result.sockets:,}, {result.rate:g}, {result.confirmed:,}", f"{result.responses.count:,}",
        str(len(result.responses.errors)), *times, f"{result.burst_seconds:.1f} s",
        f"{result.event_p50:,.0f}, {result.event_p99:,.0f} ms", f"{result.deliveries:,}", f"{result.lost:,}",
        f"{sent:,} of {due:,}", f"{speed:.0f}",
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


def _failures_table(results: Sequence[Result]) -> str:
    rows = [f"| × {result.factor} | {'; '.join(result.failures()) or 'nothing'} |" for result in results]
    return "\n".join(["| load | failed or exhausted |", "|---|---|", *rows])
