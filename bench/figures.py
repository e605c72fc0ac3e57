"""Measured values, and the sizes of full and quick runs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `value` is None if the server could not be measured; then `note` says why."""

    scenario: str
    server: str
    name: str
    value: float | None
    unit: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Size:
    """How much work a run does. Times are in seconds."""

    orders: int = 200
    sockets: int = 200
    events: int = 200
    rounds: int = 5
    # After this time, a target begins no further round.
    round_seconds: float = 20.0
    interval: float = 0.02
    latency_sockets: int = 1000
    latency_rate: int = 50
    latency_seconds: float = 20.0
    memory_sockets: int = 1000
    idle_sockets: int = 10_000
    idle_seconds: float = 65.0
    heartbeat: float = 30.0
    slow_sockets: int = 20
    # Events of 4 KB. `slow_before` fills the hub's buffer, so that it does not grow during the measurement.
    slow_before: int = 5600
    slow_events: int = 2400
    storm_clients: int = 1000
    storm_events: int = 100
    jitter_clients: int = 500
    jitter_seconds: float = 120.0
    jitter_life: float = 15.0
    jitter_down: float = 2.0
    fault_sockets: int = 100
    fault_seconds: float = 12.0
    messages: int = 1000
    board_orders: int = 300
    board_rate: int = 10
    board_seconds: float = 20.0
    # 300 orders a day for 30 days.
    cache_orders: int = 9000
    cache_reads: int = 150
    rest_changes: int = 300
    bulk_orders: int = 1000
    listed_orders: int = 100_000
    list_reads: int = 90
    health_calls: int = 1000
    # Measure all peers in every scenario, not only those that a goal names.
    all_peers: bool = True


FULL = Size()
QUICK = Size(
    orders=60, sockets=100, events=40, rounds=2, round_seconds=0.5, latency_sockets=200, latency_seconds=2.0,
    memory_sockets=200, idle_sockets=1000, idle_seconds=2.0, heartbeat=1.0, slow_sockets=10, slow_events=1600,
    storm_clients=200, jitter_clients=50, jitter_seconds=4.0, jitter_life=2.0, jitter_down=0.5, fault_sockets=20,
    fault_seconds=1.8, messages=100, board_seconds=3.0, cache_orders=900, cache_reads=40,
    rest_changes=60, bulk_orders=100, listed_orders=2000, list_reads=30, health_calls=200, all_peers=False,
)  # fmt: skip


@dataclass(slots=True)
class Collected:
    """The figures of a run. Prints each figure when it is added."""

    figures: list[Figure] = field(default_factory=list)

    def add(self, figure: Figure) -> None:
        self.figures.append(figure)
        shown = "—" if figure.value is None else f"{figure.value:,.2f} {figure.unit}"
        print(f"{figure.scenario:18} {figure.server:42} {figure.name:28} {shown:>16}  {figure.note}", flush=True)
