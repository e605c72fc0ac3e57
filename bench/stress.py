"""`make load`: runs a site as in production under the load of a large depot, then three and ten times that load."""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import django

from bench.stress_load import Responses, confirm, requests_of_day, send_steadily
from bench.stress_report import Result, write
from bench.whole_site import Usage, WholeSite, whole_site

SECONDS = 30.0
SOCKETS, RATE, BULK_ORDERS = 100, 10, 1000
# The steady requests run alone for this time before the first bulk update.
BURST_DELAY = 5.0
# A step waits for its events until none came for QUIET seconds, and for events and SMS at most MAX_WAIT seconds.
QUIET, MAX_WAIT = 5.0, 90.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--factors",
        type=int,
        nargs="+",
        default=[1, 3, 10],
        help="multiples of 100 sockets, 10 requests/s and 1,000 orders",
    )
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--docs", action="store_true", help="also write the tables of docs/benchmarks.md")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with whole_site() as site:
        # Only the site is measured, so this process must neither log nor add to its metrics.
        environment = site.environment | {"LOG_LEVEL": "ERROR"}
        environment.pop("PROMETHEUS_MULTIPROC_DIR")
        os.environ |= environment
        django.setup()
        from bench import machine, product

        facts = machine.describe()
        product.prepare(max(options.factors) * SOCKETS // 2, 0)
        drivers = make_drivers(max(options.factors) * SOCKETS // 2)
        results: list[Result] = []
        for factor in options.factors:
            results.append(run_step(site, factor, options.seconds, drivers[: factor * SOCKETS // 2]))
            print(results[-1].text(), flush=True)
            if options.docs:
                write(results, facts)


def make_drivers(count: int) -> list[tuple[int, str]]:
    """Creates `count` drivers and returns their ids and tokens."""
    from django.contrib.auth.models import User

    from accounts.api.tokens import Refresh
    from dispatch.models import Driver

    users = User.objects.bulk_create(User(username=f"driver{n}", password="!") for n in range(count))
    Driver.objects.bulk_create(Driver(user=user, name="司機", phone="+886911222333") for user in users)
    rows = Driver.objects.filter(user__in=users).select_related("user").order_by("pk")
    return [(driver.pk, str(Refresh.for_user(driver.user).access_token)) for driver in rows]


def run_step(site: WholeSite, factor: int, seconds: float, team: Sequence[tuple[int, str]]) -> Result:
    """Runs one step with `factor` times the sockets, request rate and orders of the first step."""
    from django.contrib.auth.models import User

    from bench import product, stock
    from bench.load import Load
    from orders.states import OrderStatus
    from realtime import log

    changes = int(RATE * factor * seconds)
    bursts = [[order.pk for order in stock.orders(BULK_ORDERS)] for _ in range(factor)]
    orders_by_status = [
        [order.pk for order in stock.orders(changes, status)]
        for status in (OrderStatus.CONFIRMED, OrderStatus.ASSIGNED)
    ]
    log.assign_event_ids()
    token = product.token(User.objects.get(username="office0"))
    office = product.paths(len(team))
    road = [f"/api/v1/websocket/ws/driver?token={token}" for _, token in team]
    with Load(site.servers["uvicorn"], office, "-w", "-k") as desks, Load(
        site.servers["uvicorn"], road, "-w", "-k"
    ) as phones:  # fmt: skip
        head, before, start, sent = log.head().seq, site.usage(), time.monotonic(), count_sms()
        desks.reset(), phones.reset()
        responses = Responses()
        with ThreadPoolExecutor(1) as clerk:
            burst = clerk.submit(confirm_all, site.port, token, bursts, start + 2 * seconds, responses)
            requests = requests_of_day([pk for pk, _ in team], *orders_by_status)
            send_steadily(site.port, token, requests, RATE * factor, seconds, responses)
            confirmed, slowest = burst.result()
        elapsed, after = time.monotonic() - start, site.usage()
        clients = sum(load.command("stats").cpu_seconds for load in (desks, phones)) / elapsed
        sms = wait_for_sms(sent)
        events = (confirmed + responses.changes) * len(office)
        desk_counts, phone_counts = desks.wait(events, quiet=QUIET, timeout=MAX_WAIT), phones.command("stats")
    personal = personal_events(head, [pk for pk, _ in team])
    return Result(
        factor=factor, sockets=len(office) + len(road), rate=RATE * factor, responses=responses, confirmed=confirmed,
        burst_seconds=slowest, event_p50=desk_counts.p50_us / 1000, event_p99=desk_counts.p99_us / 1000,
        # A change whose response timed out is not counted, but its events may arrive. Then more come than expected.
        deliveries=events + personal, lost=max(0, events - desk_counts.received) + personal - phone_counts.frames,
        duplicates=desk_counts.duplicates + phone_counts.duplicates,
        closed=desk_counts.closed + phone_counts.closed, sms=sms,
        seconds=elapsed, used={name: usage_between(before[name], after[name], elapsed) for name in before},
        clients=clients,
    )  # fmt: skip


def usage_between(before: Usage, after: Usage, elapsed: float) -> Usage:
    """The usage in a step: the share of a core during it, and the memory in MB at its end."""
    return Usage((after.cpu - before.cpu) / elapsed, after.memory)


def confirm_all(
    port: int, token: str, bursts: Sequence[list[int]], until: float, responses: Responses
) -> tuple[int, float]:
    """Confirms each thousand in turn. Begins no further one after `until`.

    Returns the number of confirmed orders, and the seconds of the slowest bulk update.
    """
    time.sleep(BURST_DELAY)
    results = []
    for place, ids in enumerate(bursts):
        if place and time.monotonic() > until:
            responses.errors.append(f"{len(bursts) - place} of {len(bursts)} bulk updates were not sent in time")
            break
        results.append(confirm(port, token, ids, responses))
    return sum(count for count, _ in results), max(slowest for _, slowest in results)


def count_sms() -> int:
    from notifications.models import NotificationHistory

    return NotificationHistory.objects.count()


def wait_for_sms(before: int) -> tuple[int, int, float]:
    """Waits until no SMS is pending, at most MAX_WAIT seconds.

    Returns the number of SMS after the first `before`, of those sent, and the SMS sent per second.
    """
    from django.db.models import Max, Min

    from notifications.models import NotificationHistory
    from notifications.states import MessageStatus

    rows = NotificationHistory.objects.order_by("created_at")[before:]
    deadline = time.monotonic() + MAX_WAIT
    waiting = (MessageStatus.PENDING, MessageStatus.SENDING)
    while NotificationHistory.objects.filter(status__in=waiting).exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    messages = NotificationHistory.objects.filter(pk__in=[row.pk for row in rows])
    sent = messages.filter(sent_at__isnull=False)
    times = sent.aggregate(first=Min("claimed_at"), last=Max("sent_at"))
    span = (times["last"] - times["first"]) / timedelta(seconds=1) if times["first"] else 0.0
    return messages.count(), sent.count(), sent.count() / span if span else 0.0


def personal_events(since: int, team: Sequence[int]) -> int:
    """The number of events after `since` on these drivers' channels."""
    from realtime.models import Event

    wanted = {f"driver:{pk}" for pk in team}
    rows = Event.objects.filter(seq__gt=since).values_list("channels", flat=True)
    return sum(len(wanted.intersection(channels)) for channels in rows)


if __name__ == "__main__":
    main()
