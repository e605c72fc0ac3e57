"""`make load`: runs a site as in production under the load of a large depot, then three and ten times that."""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import django

from bench.stress_load import Answers, confirm, steady, work
from bench.stress_report import Result, write
from bench.whole_site import Usage, WholeSite, whole_site

SECONDS = 30.0
SOCKETS, RATE, AT_ONCE = 100, 10, 1000
# The delay before the first thousand orders are confirmed, while the readers warm up.
FIRST_BURST = 5.0
# A step ends when no event came for QUIET seconds, at the latest after MOST seconds.
QUIET, MOST = 5.0, 90.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 3, 10], help="of 100 sockets, 10 requests/s")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--docs", action="store_true", help="also write the tables of docs/benchmarks.md")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with whole_site() as site:
        # Only the site is measured, so this process must neither log nor add to its metrics.
        own = site.environment | {"LOG_LEVEL": "ERROR"}
        own.pop("PROMETHEUS_MULTIPROC_DIR")
        os.environ |= own
        django.setup()
        from bench import machine, product

        facts = machine.describe()
        product.prepare(max(chosen.factors) * SOCKETS // 2, 0)
        made = drivers(max(chosen.factors) * SOCKETS // 2)
        results: list[Result] = []
        for factor in chosen.factors:
            results.append(step(site, factor, chosen.seconds, made[: factor * SOCKETS // 2]))
            print(results[-1].text(), flush=True)
            if chosen.docs:
                write(results, facts)


def drivers(count: int) -> list[tuple[int, str]]:
    """Creates `count` drivers and returns their ids and tokens."""
    from django.contrib.auth.models import User

    from accounts.api.tokens import Refresh
    from dispatch.models import Driver

    users = User.objects.bulk_create(User(username=f"driver{n}", password="!") for n in range(count))
    Driver.objects.bulk_create(Driver(user=user, name="司機", phone="+886911222333") for user in users)
    known = Driver.objects.filter(user__in=users).select_related("user").order_by("pk")
    return [(driver.pk, str(Refresh.for_user(driver.user).access_token)) for driver in known]


def step(site: WholeSite, factor: int, seconds: float, team: Sequence[tuple[int, str]]) -> Result:
    """Runs one step with `factor` times the sockets, the request rate and the orders of the first step."""
    from django.contrib.auth.models import User

    from bench import product, stock
    from bench.load import Load
    from orders.states import OrderStatus
    from realtime import log

    changes = int(RATE * factor * seconds)
    bursts = [[order.pk for order in stock.orders(AT_ONCE)] for _ in range(factor)]
    stocked = [
        [order.pk for order in stock.orders(changes, status)]
        for status in (OrderStatus.CONFIRMED, OrderStatus.ASSIGNED)
    ]
    log.number()
    token = product.token(User.objects.get(username="office0"))
    office = product.paths(len(team))
    road = [f"/api/v1/websocket/ws/driver?token={token}" for _, token in team]
    with Load(site.servers["uvicorn"], office, "-w", "-k") as desks, Load(
        site.servers["uvicorn"], road, "-w", "-k"
    ) as phones:  # fmt: skip
        head, before, begun, sent = log.head().seq, site.usage(), time.monotonic(), last_sms()
        desks.reset(), phones.reset()
        answers = Answers()
        with ThreadPoolExecutor(1) as clerk:
            burst = clerk.submit(confirm_all, site.port, token, bursts, begun + 2 * seconds, answers)
            todo = work([pk for pk, _ in team], *stocked)
            steady(site.port, token, todo, RATE * factor, seconds, answers)
            confirmed, took = burst.result()
        elapsed, after = time.monotonic() - begun, site.usage()
        clients = sum(load.ask("stats").cpu_seconds for load in (desks, phones)) / elapsed
        sms = wait_for_sms(sent)
        events = (confirmed + answers.marked) * len(office)
        at_desks, on_phones = desks.wait(events, quiet=QUIET, most=MOST), phones.ask("stats")
    owed = personal_events(head, [pk for pk, _ in team])
    return Result(
        factor=factor, sockets=len(office) + len(road), rate=RATE * factor, answers=answers, confirmed=confirmed,
        burst_seconds=took, event_p50=at_desks.p50_us / 1000, event_p99=at_desks.p99_us / 1000,
        # The office may receive more events than the responses counted, if some timed out.
        deliveries=events + owed, lost=max(0, events - at_desks.marks) + owed - on_phones.frames,
        twice=at_desks.duplicates + on_phones.duplicates, closed=at_desks.closed + on_phones.closed, sms=sms,
        seconds=elapsed, used={name: used(before[name], after[name], elapsed) for name in before},
        clients=clients,
    )  # fmt: skip


def used(before: Usage, after: Usage, elapsed: float) -> Usage:
    """The usage in a step: the share of a core, and the memory in MB at the end."""
    return Usage((after.cpu - before.cpu) / elapsed, after.memory)


def confirm_all(
    port: int, token: str, bursts: Sequence[list[int]], until: float, answers: Answers
) -> tuple[int, float]:
    """Confirms each thousand in turn, until `until`. Returns the number confirmed and the seconds of the slowest."""
    time.sleep(FIRST_BURST)
    done = []
    for place, ids in enumerate(bursts):
        if place and time.monotonic() > until:
            answers.errors.append(f"{len(bursts) - place} of {len(bursts)} bulk updates did not get their turn")
            break
        done.append(confirm(port, token, ids, answers))
    return sum(count for count, _ in done), max(took for _, took in done)


def last_sms() -> int:
    from notifications.models import NotificationHistory

    return NotificationHistory.objects.count()


def wait_for_sms(before: int) -> tuple[int, int, float]:
    """Returns the SMS due in this step, those sent, and the SMS per second between first claim and last sending."""
    from django.db.models import Max, Min

    from notifications.models import NotificationHistory
    from notifications.states import MessageStatus

    rows = NotificationHistory.objects.order_by("created_at")[before:]
    deadline = time.monotonic() + MOST
    waiting = (MessageStatus.PENDING, MessageStatus.SENDING)
    while NotificationHistory.objects.filter(status__in=waiting).exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    mine = NotificationHistory.objects.filter(pk__in=[row.pk for row in rows])
    sent = mine.filter(sent_at__isnull=False)
    found = sent.aggregate(first=Min("claimed_at"), last=Max("sent_at"))
    span = (found["last"] - found["first"]) / timedelta(seconds=1) if found["first"] else 0.0
    return mine.count(), sent.count(), sent.count() / span if span else 0.0


def personal_events(since: int, team: Sequence[int]) -> int:
    """The number of events after `since` that these drivers receive."""
    from realtime.models import Event

    wanted = {f"driver:{pk}" for pk in team}
    rows = Event.objects.filter(seq__gt=since).values_list("channels", flat=True)
    return sum(len(wanted.intersection(channels)) for channels in rows)


if __name__ == "__main__":
    main()
