"""After a restart, a thousand clients reconnect at once, each with a token and a hundred missed events."""

from __future__ import annotations

import time

from django.db import connection

from bench import product
from bench.context import Bench
from bench.load import Load
from realtime import log

NAME = "Lucky Gas"


def run(bench: Bench) -> None:
    size = bench.size
    head = log.head()
    sender = product.LogSender()
    sender.publish(size.storm_events)
    log.assign_event_ids()
    paths = product.paths(size.storm_clients, f"&since={head.seq}&epoch={head.epoch}")
    with bench.product() as server:
        count_statements(on=True)
        first, start, cpu = statements(bench), time.monotonic_ns(), server.cpu_seconds()
        with Load(server, paths, "-w", "-j", str(size.storm_clients)) as load:
            counts = load.wait(size.storm_clients * size.storm_events, quiet=5)
            queries, used = statements(bench) - first, server.cpu_seconds() - cpu
            seconds = (counts.last_ns - start) / 1e9
            at_rest = statements_at_rest(bench, seconds)
        count_statements(on=False)
    whole = counts.min_received == counts.max_received == size.storm_events and not counts.unrecovered
    note = (
        f"{counts.open_now} clients" if whole else f"{counts.min_received} to {counts.max_received} events per client"
    )
    bench.add("storm", NAME, "time until all caught up", seconds, "s", note)
    bench.add("storm", NAME, "total queries", queries, "", f"an idle server makes {at_rest} of them")
    bench.add("storm", NAME, "CPU per client", used / size.storm_clients * 1e6, "µs")
    sender.close()


def count_statements(on: bool) -> None:
    """Turns PostgreSQL's logging of all statements on or off."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER SYSTEM SET log_statement = '{'all' if on else 'none'}'")
        cursor.execute("SELECT pg_reload_conf()")
    connection.close()
    time.sleep(0.5)


def statements(bench: Bench) -> int:
    """The number of SELECT, INSERT, UPDATE and DELETE statements in PostgreSQL's log so far."""
    lines = bench.postgres.log.read_text(errors="replace").splitlines()
    texts = (line.partition(": ")[2] for line in lines if "LOG:  statement:" in line or "LOG:  execute " in line)
    return sum(text.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE")) for text in map(_sql, texts))


def _sql(text: str) -> str:
    return text.split(":", 1)[1] if text.lstrip().startswith(("statement", "execute")) else text


def statements_at_rest(bench: Bench, seconds: float) -> int:
    """The number of statements that an idle server makes in `seconds`, from a count over at least two seconds."""
    first, wait = statements(bench), max(seconds, 2.0)
    time.sleep(wait)
    return round((statements(bench) - first) * seconds / wait)
