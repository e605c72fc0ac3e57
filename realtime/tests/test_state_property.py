"""A client that applies events shows what a new client would load, for any changes and any time of connecting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from orders import services
from orders.models import Order
from orders.models.item import OrderLine
from orders.states import OrderStatus
from orders.tests.api.client import Api
from orders.tests.factories import (
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_product,
    make_route,
    make_user,
)
from realtime import log
from realtime.channels import Identity
from realtime.frames import Encoded
from realtime.tests.simulated_clients import SimulatedClient, SimulatedLink, make_client, make_hub
from web.actors import Actor
from web.refusals import Refusal

# Runs on PostgreSQL only, because the result does not depend on the database.
pytestmark = [pytest.mark.long, pytest.mark.servers, pytest.mark.django_db]
MAX_STEPS = 14


class Depot:
    """The rows that steps change, two of most kinds. The two numbers of a step select rows and values."""

    def __init__(self) -> None:
        self.office = make_office()
        self.actor = Actor(self.office)
        self.drivers = [make_driver() for _ in range(2)]
        self.customers = [make_customer(user=make_user(), sms_opt_out=True) for _ in range(2)]
        self.products = [make_product() for _ in range(2)]
        self.routes = [make_route(driver=self.drivers[0]), make_route()]
        self.linked = make_order(OrderStatus.CONFIRMED, customer=self.customers[0], scheduled_date=timezone.localdate())
        self.renamed = False

    def order(self, number: int) -> Order:
        orders = list(Order.objects.order_by("-pk")[:3])
        return orders[number % len(orders)]

    def change(self, number: int, **changes: Any) -> None:
        order = self.order(number)
        order.lock()
        services.change(order, changes, self.actor)


def transition(to: OrderStatus) -> Callable[[Depot, int, int], None]:
    def action(depot: Depot, a: int, b: int) -> None:
        depot.order(a).transition_to(to, by=depot.office, reason="測試")

    return action


def place(depot: Depot, a: int, b: int) -> None:
    lines = [OrderLine(depot.products[a % 2].pk, 1 + b)]
    services.place(lines, depot.actor, customer=depot.customers[b % 2], scheduled_date=timezone.localdate())


def assign(depot: Depot, a: int, b: int) -> None:
    depot.order(a).assign(depot.drivers[b % 2], by=depot.office)


def unassign(depot: Depot, a: int, b: int) -> None:
    depot.order(a).assign(None, by=depot.office)


def reschedule(depot: Depot, a: int, b: int) -> None:
    depot.change(a, scheduled_date=timezone.localdate() + timedelta(days=b), time_slot="evening")


def expect(depot: Depot, a: int, b: int) -> None:
    depot.change(a, eta=timezone.now() + timedelta(hours=b))


def hand_over(depot: Depot, a: int, b: int) -> None:
    depot.change(a, customer=depot.customers[b % 2])


def put_on_route(depot: Depot, a: int, b: int) -> None:
    depot.change(a, route=[*depot.routes, None][b % 3])


def take_from_driver(depot: Depot, a: int, b: int) -> None:
    depot.change(a, driver=[*depot.drivers, None][b % 3], priority=["urgent", "normal"][b % 2])


def order_other_items(depot: Depot, a: int, b: int) -> None:
    depot.change(a, items=[OrderLine(product.pk, 1 + b) for product in depot.products[: 1 + b % 2]])


def drive_route(depot: Depot, a: int, b: int) -> None:
    services.assign_route(depot.routes[a % 2].pk, depot.drivers[b % 2], depot.actor)


def change_many(depot: Depot, a: int, b: int) -> None:
    changes: list[dict[str, Any]] = [
        {"priority": "urgent"}, {"status": OrderStatus.CONFIRMED}, {"route": depot.routes[b % 2]},
        {"driver": depot.drivers[b % 2]},
    ]  # fmt: skip
    services.bulk_update([order.pk for order in Order.objects.all()], changes[a % 4], depot.actor)


def rename(depot: Depot, a: int, b: int) -> None:
    depot.renamed = True
    named: Any = [*depot.customers, *depot.products][a % 4]
    named.refresh_from_db()
    named.name = f"新名{b}"
    named.save()


def count_stock(depot: Depot, a: int, b: int) -> None:
    depot.products[a % 2].add_stock(depot.products[a % 2].pk, b - 2)


MOVES = (
    OrderStatus.CONFIRMED,
    OrderStatus.DELIVERING,
    OrderStatus.ARRIVING,
    OrderStatus.DELIVERED,
    OrderStatus.FAILED,
    OrderStatus.CANCELLED,
)
ACTIONS = [
    *map(transition, MOVES), place, assign, unassign, reschedule, expect, hand_over, put_on_route, take_from_driver,
    order_other_items, drive_route, change_many, rename, count_stock,
]  # fmt: skip
ROW_CHOICES = st.integers(0, 3)
STEP = st.tuples(st.sampled_from(ACTIONS), ROW_CHOICES, ROW_CHOICES, st.booleans())
# For each client: the step at which it loads its state, and how many steps later its socket opens.
MOMENTS = st.lists(st.tuples(st.integers(0, MAX_STEPS), st.integers(0, 3)), min_size=6, max_size=6)


class Simulation:
    """The rows, a hub and its clients. The hub runs no timer: it reads the log only in `read`."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.depot = depot = Depot()
        log.assign_event_ids()
        self.hub = self.runner.run(make_hub(log.head()))
        users: list[tuple[Any, str]] = [
            (depot.office, "office"),
            *((driver.user, "driver") for driver in depot.drivers),
        ]
        users += [(customer.user, "ws") for customer in depot.customers]
        arguments: list[tuple[Any, ...]] = [(SimulatedClient, Api(who), Identity.of(who), at) for who, at in users]
        self.clients = [self.runner.run(make_client(*each)) for each in [*arguments, (SimulatedLink, depot.linked)]]

    def act(self, action: Callable[[Depot, int, int], None], a: int, b: int) -> None:
        try:
            with transaction.atomic():
                action(self.depot, a, b)
        except Refusal:  # the step is impossible in this state and changes nothing
            self.depot.renamed |= action is rename

    def read(self) -> None:
        log.assign_event_ids()
        self.hub.deliver([Encoded.of(event) for event in log.read(self.hub.cursor, 1000)])

    def connect(self, client: SimulatedClient) -> None:
        if client.since > self.hub.cursor:
            self.read()  # a real hub also reads the log first when a client is ahead
        if isinstance(client, SimulatedLink) and not client.load_anew()[0]["orders"]:
            client.close(4401)  # the link was revoked after the client had loaded its state
        else:
            self.runner.run(client.connect(self.hub))

    def comparable_state(self, state: dict[str, dict[int, Any]], client: SimulatedClient) -> dict[str, Any]:
        """The state to compare. After a rename it lacks product names, and for drivers customer names.

        No event updates these names.
        """
        if not self.depot.renamed or isinstance(client, SimulatedLink):
            return dict(state)
        outdated = {"customer_name": None} if client.endpoint == "driver" else {}
        orders = {
            pk: order | {"products": [item["quantity"] for item in order["products"]]} | outdated
            for pk, order in state["orders"].items()
        }
        return state | {"orders": orders}


@pytest.mark.timeout(180)
@settings(max_examples=20, deadline=None)
@given(st.lists(STEP, min_size=4, max_size=MAX_STEPS), MOMENTS)
def test_client_that_applies_events_shows_what_a_new_one_loads(
    steps: list[Any], moments: list[tuple[int, int]]
) -> None:
    with transaction.atomic():
        simulation = Simulation()
        with simulation.runner:
            run_steps(simulation, steps, moments)
        transaction.set_rollback(True)


def run_steps(simulation: Simulation, steps: list[Any], moments: list[tuple[int, int]]) -> None:
    for place_, (action, a, b, reads) in enumerate(steps):
        load_and_connect(simulation, moments, place_)
        simulation.act(action, a, b)
        if reads:
            simulation.read()
    for later in range(len(steps), MAX_STEPS + 4):
        load_and_connect(simulation, moments, later)
    simulation.read()
    for client in simulation.clients:
        assert simulation.comparable_state(client.state, client) == simulation.comparable_state(
            client.load_anew()[0], client
        ), client.endpoint


def load_and_connect(simulation: Simulation, moments: list[tuple[int, int]], now: int) -> None:
    for client, (loads, later) in zip(simulation.clients, moments, strict=True):
        if now == loads:
            client.load()
        if now == loads + later:
            simulation.connect(client)
