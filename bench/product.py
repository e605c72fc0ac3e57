"""Creates accounts, tokens and orders, and publishes the product's events. Import it after `django.setup()`."""

from __future__ import annotations

from datetime import date
from itertools import count, cycle
from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import StaffRole
from accounts.roles import Role, Side, password_mark
from bench.senders import PAYLOAD_BYTES, SocketSender, frame, padding
from catalogue.models import Product
from customers.models import Customer
from dispatch.models import Driver
from orders.models import Order, OrderItem
from orders.states import OrderStatus
from realtime import log
from realtime.models import Outbox
from realtime.outbox import wake_hubs

if TYPE_CHECKING:
    from collections.abc import Iterator

OFFICE = "/api/v1/websocket/ws/office"
# The bytes of an event's JSON besides its padding.
ENVELOPE_BYTES = 155
# The path in bench/hub_alone.py. That module is not imported, because it is the server's application.
HUB_ALONE = "/bench/publish"


def prepare(sockets: int, orders: int) -> None:
    """Creates an office account for each socket (an account may open only five), and orders assigned to a driver."""
    call_command("migrate", verbosity=0)
    users = User.objects.bulk_create(User(username=f"office{n}", is_staff=True, password="!") for n in range(sockets))
    StaffRole.objects.bulk_create(StaffRole(user=user, role=Role.CLERK) for user in users)
    Driver.objects.create(user=User.objects.create(username="driver"), name="司機", phone="0911222333")
    Product.objects.create(code="20", name="20kg 瓦斯桶", cylinder_kg=20, price=800, stock=10_000)
    ensure_orders(orders)


def ensure_orders(count: int) -> None:
    """Creates orders until there are `count`, assigned to the one driver."""
    driver, product = Driver.objects.get(), Product.objects.get()
    for number in range(Order.objects.count(), count):
        customer = Customer.objects.create(
            name=f"王小姐{number}",
            phone=f"0912-{number:06d}",
            address=f"台北市大安區信義路四段{number}號",
            sms_opt_out=True,
        )
        order = Order(customer=customer, scheduled_date=date(2099, 11, 23), amount_due=800)
        order.save()
        OrderItem.objects.create(order=order, product=product, quantity=1)
        order.transition_to(OrderStatus.CONFIRMED)
        order.assign(driver)
    log.assign_event_ids()


def paths(sockets: int, extra: str = "") -> list[str]:
    """The URL paths of the office endpoint, each with the token of another account."""
    users = User.objects.filter(username__startswith="office").order_by("pk")[:sockets]
    return [f"{OFFICE}?token={token(user)}{extra}" for user in users]


def token(user: User) -> str:
    """An access token with the claims that `auth/token/` sets for staff."""
    access = AccessToken.for_user(user)
    access.payload |= {"role": Side.OFFICE.value, "staff": Role.CLERK.value, "driver": None, "customer": None}
    access["password_mark"] = password_mark(user)
    return str(access)


class OrderSender:
    """Changes orders between assigned and delivering: each time one transaction with lock, history and outbox row."""

    def __init__(self) -> None:
        self._orders: Iterator[Order] = cycle(Order.objects.order_by("pk"))

    def publish(self, count: int) -> None:
        for _ in range(count):
            move(next(self._orders))

    def close(self) -> None:
        connection.close()


def move(order: Order) -> None:
    """Moves an order that is delivering back to assigned, and any other order to delivering."""
    to = OrderStatus.ASSIGNED if order.status == OrderStatus.DELIVERING else OrderStatus.DELIVERING
    order.transition_to(to, reason=padding(24))


class LogSender:
    """Writes the outbox rows of a burst in one transaction, and sends one wake-up."""

    def __init__(self, size: int = PAYLOAD_BYTES) -> None:
        self._size = size - ENVELOPE_BYTES
        self._ids = count(1)

    def publish(self, count: int) -> None:
        with transaction.atomic():
            Outbox.objects.bulk_create(
                Outbox(
                    type="customer.updated", subject=f"customer:{next(self._ids)}", delta={"name": padding(self._size)}
                )
                for _ in range(count)
            )
            transaction.on_commit(wake_hubs, robust=True)

    def close(self) -> None:
        connection.close()


class HubSender(SocketSender):
    """Sends a burst as one message, which the hub delivers in one round."""

    def publish(self, count: int) -> None:
        lines = [padding(PAYLOAD_BYTES - ENVELOPE_BYTES) for _ in range(count)]
        self._socket.sendall(frame("\n".join(lines)))
