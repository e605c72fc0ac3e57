"""A small depot for tests that try every API call: an order in each status, and the objects that the calls need."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from accounts.api.tokens import Refresh
from notifications.models import NotificationHistory
from notifications.states import MessageStatus
from notifications.tests.factories import make_message
from orders.models import Order, ProofImageKind, proof
from orders.states import OrderStatus
from orders.tests.factories import (
    PASSWORD,
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_product,
    make_route,
    make_user,
)
from orders.tests.test_proof_images import make_image, make_upload
from realtime import log

SECRET = "the-secret-of-receipts"
# The provider's id and the telephone number of a message that waits for its receipt.
AWAITED, PHONE = "#13", "+886912345678"


@dataclass(frozen=True)
class Depot:
    """`users`: one for each side (`office`, `driver`, `customer`). `names`: valid values by field or parameter name.

    Most of these values are ids of existing objects.
    """

    users: dict[str, User]
    names: dict[str, list[Any]]
    # Ids for `{id}`, by the first part of the path, such as `orders`.
    ids: dict[str, list[Any]]
    orders: dict[OrderStatus, Order]


def make_depot() -> Depot:
    """Makes an order in each status for one driver and customer, with messages, an image and events."""
    office, driver = make_office(), make_driver()
    customer, product = make_customer(user=make_user()), make_product(low_stock_threshold=5)
    route = make_route(driver=driver)
    shared: dict[str, Any] = {"customer": customer, "driver": driver, "product": product, "route": route}
    by_status = {status: make_order(status, quantity=2, **shared) for status in OrderStatus}
    orders = list(by_status.values())
    # A message that can be resent, and one that waits for its receipt.
    make_message(MessageStatus.FAILED, order=by_status[OrderStatus.CONFIRMED])
    make_message(
        MessageStatus.SENT,
        order=orders[0],
        gateway="mitake",
        recipient=PHONE,
        provider_message_id=AWAITED,
        sent_at=timezone.now(),
    )
    delivered = Order.objects.filter(status=OrderStatus.DELIVERED)
    image = proof.store(delivered, ProofImageKind.PHOTO, make_upload(make_image()), by=office)
    events = log.assign_event_ids()
    today = timezone.localdate()
    ids: dict[str, list[Any]] = {
        "orders": [order.pk for order in orders], "customers": [customer.pk], "drivers": [driver.pk],
        "products": [product.pk], "routes": [route.pk],
        "notifications": [str(pk) for pk in NotificationHistory.objects.values_list("pk", flat=True)[:4]],
    }  # fmt: skip
    names = {
        "customer": ids["customers"], "driver": ids["drivers"], "product": ids["products"], "route": ids["routes"],
        "order": ids["orders"], "ids": ids["orders"], "image": [image.pk], "user": [make_user().pk, office.pk],
        "version": [1, 2, 3], "page": [1], "since": list(range(events + 1)), "epoch": [log.head().epoch],
        "channel": ["orders", "staff", "system", f"driver:{driver.pk}", f"order:{orders[0].pk}"],
        "scheduled_date": [str(today + timedelta(days=days)) for days in (0, 1, 400)],
        "from": [str(today - timedelta(days=7))], "to": [str(today)], "phone": ["0912-345-678", "02-2345-6789"],
        "username": [office.username], "password": [PASSWORD], "q": [orders[0].order_number, "王", "0912"],
        "refresh": [str(Refresh.for_user(office)) for _ in range(4)], "ref": ["one", "two"],
        "gateway": ["mitake", "every8d", "http"], "secret": [SECRET], "type": ["custom.x", "system.message"],
    }  # fmt: skip
    users = {"office": office, "driver": driver.user, "customer": customer.user}
    return Depot(users, names, ids, by_status)  # type: ignore[arg-type]


# A valid request for each API call, which succeeds for the roles that may make it.


V1 = "/api/v1/"
# A receipt as Mitake sends it.
RECEIPT = {"msgid": AWAITED.lstrip("#"), "dstaddr": PHONE.replace("+886", "0"), "statuscode": "1", "StatusFlag": "4"}
# Calls without a token: sign-in, and callbacks with their secret.
ANYBODY = {
    "POST auth/logout/", "POST auth/token/", "POST auth/token/refresh/",
    "GET notifications/callbacks/{gateway}/{secret}/", "POST notifications/callbacks/{gateway}/{secret}/",
}  # fmt: skip
ANY_ROLE = ANYBODY | {
    "GET events/", "GET orders/", "GET orders/{id}/", "PATCH orders/{id}/status/", "GET products/",
    "GET products/{id}/", "POST websocket/ticket/",
}  # fmt: skip
# Calls that only drivers may make, from their page.
DRIVERS_ALONE = {"POST notifications/all-reported/"}
# The calls that each role may make. The office may make all calls except DRIVERS_ALONE.
SERVED = {
    "anonymous": ANYBODY,
    "customer": ANY_ROLE | {"POST orders/", "PATCH orders/{id}/"},
    "driver": ANY_ROLE | DRIVERS_ALONE | {
        "GET customers/", "GET customers/{id}/", "GET drivers/", "GET drivers/{id}/",
        "POST orders/{id}/confirm-delivery/", "POST orders/{id}/proof-images/",
        "GET orders/{id}/proof-images/{image}/", "GET routes/", "GET routes/{id}/",
    },
}  # fmt: skip
# The status of the order that a role moves, and the body of the request.
MOVES = {
    "driver": (OrderStatus.ASSIGNED, {"status": OrderStatus.DELIVERING}),
    "customer": (OrderStatus.CONFIRMED, {"status": OrderStatus.CANCELLED, "reason": "moved away"}),
}
OFFICE_MOVE = (OrderStatus.PENDING, {"status": OrderStatus.CONFIRMED})


def good_request(depot: Depot, role: str, label: str) -> dict[str, Any]:
    """Returns the arguments of a schemathesis case for a valid request. `label`: such as `GET /api/v1/orders/`."""
    path = label.partition(" ")[2]
    parts = {"id": depot.ids.get(path.split("/")[3], [None])[0], "image": depot.names["image"][0]}
    path_parameters = {name: value for name, value in parts.items() if f"{{{name}}}" in path}
    usual: dict[str, Any] = {"path_parameters": path_parameters}
    arguments = usual | special_arguments(depot, role).get(label.replace(V1, ""), {})
    return arguments | (
        {"media_type": "application/json"} if "body" in arguments and "media_type" not in arguments else {}
    )


def special_arguments(depot: Depot, role: str) -> dict[str, dict[str, Any]]:
    """Returns arguments of calls that need special values, by method and path below V1."""
    names, user = depot.names, depot.users.get(role) or depot.users["office"]
    driver, item = names["driver"][0], {"product": names["product"][0], "quantity": 1}
    order = {"items": [item], "scheduled_date": names["scheduled_date"][0]}
    receipt = {"path_parameters": {"gateway": "mitake", "secret": SECRET}}
    failed = NotificationHistory.objects.get(status=MessageStatus.FAILED)
    delivered = {"path_parameters": {"id": depot.orders[OrderStatus.DELIVERED].pk}}
    before, move = MOVES.get(role, OFFICE_MOVE)
    return {
        "POST auth/logout/": {"body": {"refresh": str(Refresh.for_user(user))}},
        "POST auth/token/": {"body": {"username": user.username, "password": PASSWORD}},
        "POST auth/token/refresh/": {"body": {"refresh": str(Refresh.for_user(user))}},
        "POST customers/": {"body": {"name": "王小姐", "address": "台北市大安區信義路四段1號"}},
        "PATCH customers/{id}/": {"body": {"notes": "rings twice"}},
        "POST drivers/": {"body": {"name": "司機", "user": make_user().pk}},
        "PATCH drivers/{id}/": {"body": {"vehicle_plate": "ABC-1234"}},
        "POST events/": {"body": {"type": "custom.x", "channel": "orders", "data": {}}},
        "POST notifications/{id}/resend/": {"path_parameters": {"id": str(failed.pk)}, "body": {"overrule": True}},
        "GET notifications/callbacks/{gateway}/{secret}/": receipt | {"query": RECEIPT},
        "POST notifications/callbacks/{gateway}/{secret}/": receipt
        | {"body": RECEIPT, "media_type": "application/x-www-form-urlencoded"},
        "POST orders/": {"body": order if role == "customer" else order | {"customer": names["customer"][0]}},
        "GET orders/{id}/": {"path_parameters": {"id": depot.orders[OrderStatus.ASSIGNED].pk}},
        "PATCH orders/{id}/": {"body": {"notes": "second floor"}},
        "POST orders/{id}/confirm-delivery/": {
            "path_parameters": {"id": depot.orders[OrderStatus.ARRIVING].pk}, "body": {"confirmation_type": "manual"},
        },
        "POST orders/{id}/proof-images/": delivered
        | {"body": {"kind": "photo", "image": make_image()}, "media_type": "multipart/form-data"},
        "GET orders/{id}/proof-images/{image}/": {
            "path_parameters": delivered["path_parameters"] | {"image": names["image"][0]}
        },
        "PATCH orders/{id}/status/": {"path_parameters": {"id": depot.orders[before].pk}, "body": move},
        "GET orders/warnings/": {"query": {"customer": names["customer"][0]}},
        "POST orders/bulk-update/": {"body": {"ids": names["ids"][:2], "priority": "urgent"}},
        "POST performance/cache-clear/": {"body": {}},
        "POST products/": {"body": {"code": "16", "name": "16kg 瓦斯桶", "cylinder_kg": 16, "price": 700}},
        "PATCH products/{id}/": {"body": {"price": 850}},
        "POST routes/": {"body": {"date": names["to"][0], "name": "信義"}},
        "PATCH routes/{id}/": {"body": {"name": "信義"}},
        "POST routes/{id}/assign-driver/": {"body": {"driver": driver}},
    }  # fmt: skip
