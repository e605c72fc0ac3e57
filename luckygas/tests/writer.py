"""Creates and changes orders in a separate process: `python -m luckygas.tests.writer prepare|write|die`."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress
from itertools import cycle
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "luckygas.settings")
django.setup()

from django.db import Error, connection  # noqa: E402  (models can be imported only after the set-up above)

from orders.models import Order  # noqa: E402
from orders.states import OrderStatus  # noqa: E402
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_user  # noqa: E402
from realtime import outbox  # noqa: E402
from realtime.tests.client import token_for  # noqa: E402
from web.refusals import Refusal  # noqa: E402

ORDERS = 6
PAUSE_SECONDS = 0.04


def prepare(readers: int) -> dict[str, Any]:
    """Creates `readers` clerks, a driver, a customer and orders.

    Returns the users' tokens, the first order's tracking token (`link`), and the ids of the second half of the orders.
    REST callers change these; `write` changes the others.
    """
    driver, customer = make_driver(), make_customer(user=make_user(), sms_opt_out=True)
    orders = [make_order(OrderStatus.ASSIGNED, driver=driver, customer=customer) for _ in range(ORDERS)]
    return {
        "offices": [token_for(make_office()) for _ in range(readers)],
        "driver": token_for(driver.user),
        "customer": token_for(customer.user),
        "link": orders[0].tracking_token,
        "orders": [order.pk for order in orders[ORDERS // 2 :]],
    }


def move(order: Order) -> None:
    order.transition_to(OrderStatus.ASSIGNED if order.status == OrderStatus.DELIVERING else OrderStatus.DELIVERING)


def write() -> None:
    """Changes orders until killed. Retries while the database is down."""
    for order in cycle(orders()):
        try:
            move(order)
        except (Error, Refusal):  # the database is down, or `die` changed the order first
            connection.close()
        time.sleep(PAUSE_SECONDS)


def orders() -> list[Order]:
    return list(Order.objects.order_by("pk")[: ORDERS // 2])


def die() -> None:
    """Commits one change and kills itself instead of sending the wake-up message."""
    vars(outbox)["wake_hubs"] = lambda: os.kill(os.getpid(), signal.SIGKILL)
    while True:
        with suppress(Refusal):  # `write` changed the order first
            move(orders()[0])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["prepare", readers]:
            print(json.dumps(prepare(int(readers))))
        case ["write"]:
            write()
        case ["die"]:
            die()
