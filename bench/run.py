"""Measures the product and its peers: `python -m bench.run`, see docs/benchmarks.md."""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import time
from pathlib import Path

import django

from bench.figures import FULL, QUICK
from bench.processes import HIGH_RATES, OTHER_CORE
from bench.targets import FRAMES
from luckygas.testing.servers import Postgres, Redis

SCENARIOS = (
    "fanout", "latency", "memory", "idle", "slow_reader", "storm", "jitter", "redis_faults", "board", "sms", "cache",
    "health", "rest",
)  # fmt: skip
RESULTS = Path(__file__).resolve().parent / "results"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="takes less than a minute instead of a quarter of an hour")
    parser.add_argument(
        "--only",
        choices=SCENARIOS,
        action="append",
        help="run only these scenarios; keep the figures of the others in --json",
    )
    parser.add_argument("--server", default="", help="measure fan-out only of servers whose name contains this")
    parser.add_argument("--ws", default=FRAMES, help="uvicorn's WebSocket class for the product")
    parser.add_argument("--json", type=Path, default=RESULTS / "last.json", help="file for the figures")
    parser.add_argument("--docs", action="store_true", help="also write the tables and the chart of docs/benchmarks.md")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("The benchmark needs two cores: one for the server under test, one for the rest.")
    os.sched_setaffinity(0, {OTHER_CORE})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    postgres, redis = Postgres(), Redis()
    try:
        postgres.start()
        redis.start()
        measure(options, postgres, redis)
    finally:
        postgres.stop()
        redis.stop()


def set_up(postgres: Postgres, redis: Redis) -> None:
    """Sets the environment of this process and of the servers it starts, then sets up Django."""
    os.environ |= {
        "DATABASE_URL": postgres.url, "REDIS_URL": redis.url, "SMS_GATEWAY": "memory", "SECRET_KEY": "bench" * 10,
        "DATABASE_POOL": "40", "DJANGO_SETTINGS_MODULE": "luckygas.settings", "LOG_LEVEL": "ERROR",
        "THROTTLE_RATES": HIGH_RATES,
        "SMS_QUIET_HOURS": "",
    }  # fmt: skip
    django.setup()


def measure(options: argparse.Namespace, postgres: Postgres, redis: Redis) -> None:
    set_up(postgres, redis)
    from bench import machine, product, report  # these import models, which need the set-up
    from bench.context import Bench

    facts = machine.describe()
    size = QUICK if options.quick else FULL
    bench = Bench(size, postgres, redis, only=options.server, protocol=options.ws)
    start = time.monotonic()
    product.prepare(max(size.idle_sockets, size.storm_clients), size.orders)
    for name in options.only or SCENARIOS:
        importlib.import_module(f"bench.scenarios.{name}").run(bench)
    print(f"\n{time.monotonic() - start:.0f} seconds")
    figures = bench.collected.figures
    if options.only and options.json.exists():
        figures = report.merge(figures, report.load(options.json)[0])
    report.save(figures, facts, options.json)
    if options.docs:
        report.write(figures, facts)


if __name__ == "__main__":
    main()
