"""Every access path of the site (API, admin, pages, sockets), to try in every role: is it served or refused?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from axes.models import AccessAttempt
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from accounts.api.tokens import Refresh
from catalogue.models import Product
from customers.models import Customer
from dispatch.models import Driver, Route
from luckygas.tests.depot import SECRET, V1, Depot, good_request, make_depot
from notifications.models import GatewayState, MessageTemplate, NotificationHistory
from notifications.states import MessageStatus
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_staff, make_user, turn
from orders.tests.test_proof_images import encoded, sent
from realtime import auth, channels, commands
from realtime.channels import Identity
from realtime.models import Event, WebSocketConnection
from web import flags
from web.models import SystemMetric
from web.refusals import Refusal

STAFF_ROLES = ("owner", "manager", "clerk")
ROLES = (*STAFF_ROLES, "driver", "customer")
# A user without a role, and a visitor without sign-in.
PEOPLE = (*ROLES, "none", "nobody")
Outcome = str
SERVED, REFUSED = "served", "refused"


@dataclass
class House:
    """A depot, and a browser and an API client for each role."""

    depot: Depot = field(default_factory=make_depot)

    def __post_init__(self) -> None:
        staff = {role: make_staff(role, email=f"{role}@example.com") for role in STAFF_ROLES}
        self.depot.users.update(staff | {"none": make_user()})
        self.other = {"manager": make_staff("manager"), "clerk": make_staff("clerk")}
        MessageTemplate.make_missing()
        for name in flags.MEANINGS:
            turn(name, True)
        now = timezone.now()
        connection = {"role": "office", "endpoint": "ws", "instance": "a:1", "owner": "user:1"}
        times = {"connected_at": now, "last_ping": now}
        self.rows: dict[type[Model], Any] = {
            User: self.depot.users["driver"],
            AccessAttempt: AccessAttempt.objects.create(username="x", failures_since_start=1),
            GatewayState: GatewayState.objects.create(gateway="mitake", stopped_at=now),
            SystemMetric: SystemMetric.objects.create(span="hour", at=now),
            WebSocketConnection: WebSocketConnection.objects.create(connection_id=uuid4(), **connection, **times),
        }
        self.browsers = {who: Client(headers={"accept-language": "en"}) for who in PEOPLE}
        self.programs = {who: APIClient(HTTP_ACCEPT_LANGUAGE="en") for who in PEOPLE}
        for who in PEOPLE[:-1]:
            self.browsers[who].force_login(self.depot.users[who])
            token = Refresh.for_user(self.depot.users[who]).access_token
            self.programs[who].credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    def row(self, model: type[Model]) -> Any:
        return self.rows.setdefault(model, model._default_manager.order_by("pk").first())

    def order(self, status: OrderStatus) -> Order:
        return self.depot.orders[status]


Ask = Callable[[House, str], Outcome]


def undone(ask: Ask) -> Ask:
    """Wraps `ask` in a transaction that is rolled back."""

    def asked(house: House, who: str) -> Outcome:
        with transaction.atomic():
            outcome = ask(house, who)
            transaction.set_rollback(True)
        return outcome

    return asked


def status(answer: Any, *, sent_away: bool = False) -> Outcome:
    """`sent_away`: any redirect counts as refused; otherwise only a redirect to the sign-in does."""
    code, target = answer.status_code, answer.get("location", "")
    if code in (401, 403) or "/login/" in target or (sent_away and code == 302):
        return REFUSED
    return SERVED if code < 400 else f"{code} {answer.content.decode()[:300]}"


# The API.


def calls() -> Iterator[str]:
    document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    yield from (f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods)


FORM = "application/x-www-form-urlencoded"


def api(house: House, who: str, label: str) -> Outcome:
    """Makes one valid API request. For a list also returns the number of rows; own rows are fewer."""
    said = good_request(house.depot, who, label)
    method, path = label.split(" ")
    address = path.format(**said.get("path_parameters", {}))
    ask = getattr(house.programs[who], method.lower())
    answer = ask(address, said.get("query")) if method == "GET" else ask(address, **sending(said))
    outcome = status(answer)
    rows = answer.json() if outcome == SERVED and "json" in answer.get("content-type", "") else None
    count = rows.get("count") if isinstance(rows, dict) else None
    return outcome if count is None else f"{outcome} {count}"


def sending(said: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of a request with a body."""
    body, kind = said.get("body"), said.get("media_type")
    if body is not None and kind == FORM:
        return {"data": urlencode(body), "content_type": FORM}
    if body is not None and kind == "multipart/form-data":
        return {"data": body | {"image": sent(encoded())}, "format": "multipart"}
    return {"data": body, "format": "json"}


def more_of_the_api() -> dict[str, Ask]:
    """Returns further requests of the same calls with other values."""

    def patch(path: str, of: Callable[[House], Any], body: Callable[[House], Any]) -> Ask:
        return lambda house, who: status(
            house.programs[who].patch(V1 + path.format(of(house)), body(house), format="json")
        )

    def whole_number(house: House, who: str) -> Outcome:
        row = NotificationHistory.objects.get(gateway="mitake")
        answer = house.programs[who].get(f"{V1}notifications/{row.pk}/")
        return SERVED if answer.status_code == 200 and "*" not in answer.json()["recipient"] else REFUSED

    def resend(house: House, who: str) -> Outcome:
        row = NotificationHistory.objects.get(status=MessageStatus.FAILED)
        return status(house.programs[who].post(f"{V1}notifications/{row.pk}/resend/", {}, format="json"))

    def new_customer(house: House, who: str) -> Outcome:
        body = good_request(house.depot, "office", f"POST {V1}orders/")["body"]
        body.pop("customer")
        said = body | {"new_customer": {"name": "王", "address": "台北市大安區信義路四段1號"}}
        return status(house.programs[who].post(f"{V1}orders/", said, format="json"))

    delivered = {"status": "cancelled", "reason": "it was none"}
    return {
        "the stock of a product": patch("products/{}/", lambda h: h.row(Product).pk, lambda _h: {"stock": 7}),
        "the account of a customer": patch(
            "customers/{}/", lambda h: h.row(Customer).pk, lambda _h: {"user": make_user().pk}
        ),
        "a manager's account for a customer": patch(
            "customers/{}/", lambda h: h.row(Customer).pk, lambda h: {"user": h.other["manager"].pk}
        ),
        "a delivery that was none": patch(
            "orders/{}/status/", lambda h: h.order(OrderStatus.DELIVERED).pk, lambda _h: delivered
        ),
        "a whole telephone number": whole_number,
        "a message again": resend,
        "an order of a new customer": new_customer,
    }


# The admin.


def crud(model: type[Model]) -> dict[str, Ask]:
    """Returns list, page, history and form of one model. A refused form is 403; one with errors counts as served."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"

    def ask(house: House, who: str, page: str, method: str) -> Outcome:
        args = [] if page in ("changelist", "add") else [house.row(model).pk]
        return status(getattr(house.browsers[who], method)(reverse(f"{name}_{page}", args=args)))

    asked = {"list": ("changelist", "get"), "page": ("change", "get"), "history": ("history", "get"),
             "add": ("add", "get"), "save": ("change", "post"), "delete": ("delete", "get")}  # fmt: skip
    return {key: partial(ask, page=page, method=method) for key, (page, method) in asked.items()}


def models() -> dict[str, type[Model]]:
    return {model._meta.label_lower: model for model in apps.get_models() if admin.site.is_registered(model)}


def extra(name: str, of: Callable[[House], list[Any]], method: str = "get", **data: Any) -> Ask:
    """Returns a request of our own admin page. Served also if it redirects back."""

    def ask(house: House, who: str) -> Outcome:
        url = reverse(name, args=of(house))
        said = {key: value(house) if callable(value) else value for key, value in data.items()}
        answer = getattr(house.browsers[who], method)(url, said)
        return status(answer)

    return ask


def first(model: type[Model]) -> Callable[[House], list[Any]]:
    """Returns the first row of this model, as an argument for `extra`."""
    return lambda house: [house.row(model).pk]


def more_of_the_admin() -> dict[str, Ask]:
    def customer(step: str) -> Callable[[House], list[Any]]:
        return lambda house: [house.row(Customer).pk, step]

    def unlinked(house: House) -> list[Any]:
        return [make_customer(email="new@example.com").pk, "open"]

    def move(before: OrderStatus, to: str) -> Callable[[House], list[Any]]:
        return lambda house: [house.order(before).pk, to]

    def failed(house: House) -> list[Any]:
        return [NotificationHistory.objects.get(status=MessageStatus.FAILED).pk]

    def version(status: OrderStatus) -> Callable[[House], int]:
        return lambda house: house.order(status).version

    choice = {"app_label": "orders", "model_name": "order", "field_name": "customer", "term": ""}
    preview = {"kind": "order_delivered", "language": "en", "body": "x"}
    none: Callable[[House], list[Any]] = lambda _house: []  # noqa: E731
    return {
        "admin:index": extra("admin:index", none),
        "admin:customers_customer_choose": extra("admin:customers_customer_choose", none, **choice),
        "admin:customers_customer_account": extra("admin:customers_customer_account", customer("link"), "post"),
        "admin:customers_customer_account, open": extra("admin:customers_customer_account", unlinked, "post"),
        "admin:catalogue_product_stock": extra("admin:catalogue_product_stock", first(Product)),
        "admin:dispatch_driver_password": extra("admin:dispatch_driver_password", first(Driver), "post"),
        "admin:auth_user_link": extra("admin:auth_user_link", lambda h: [h.other["clerk"].pk], "post"),
        "admin:auth_user_link, a manager's": extra("admin:auth_user_link", lambda h: [h.other["manager"].pk], "post"),
        "admin:orders_order_statistics": extra("admin:orders_order_statistics", none),
        "admin:orders_order_statistics, csv": extra("admin:orders_order_statistics", none, format="csv"),
        "admin:orders_order_move": extra(
            "admin:orders_order_move", move(OrderStatus.PENDING, "confirmed"), "post",
            version=version(OrderStatus.PENDING)
        ),
        "admin:orders_order_move, a correction": extra(
            "admin:orders_order_move", move(OrderStatus.DELIVERED, "cancelled"), "post",
            version=version(OrderStatus.DELIVERED), reason="it was none",
        ),
        "admin:dispatch_route_assign": extra("admin:dispatch_route_assign", first(Route)),
        "admin:notifications_gateway_start": extra("admin:notifications_gateway_start", lambda _h: ["mitake"], "post"),
        "admin:notifications_resend": extra("admin:notifications_resend", failed, "post"),
        "admin:notifications_resend, overruled": extra("admin:notifications_resend", failed, "post", overrule="yes"),
        "admin:notifications_export": extra("admin:notifications_export", none),
        "admin:notifications_text_preview": extra("admin:notifications_text_preview", none, "post", **preview),
        "admin:notifications_text_default": extra("admin:notifications_text_default", first(MessageTemplate), "post"),
    }  # fmt: skip


# Pages outside the admin.


def page(name: str, *args: Any, method: str = "get") -> Ask:
    return lambda house, who: status(getattr(house.browsers[who], method)(reverse(name, args=args)), sent_away=True)


PAGES: dict[str, Ask] = {
    **{name: page(name) for name in (
        "home", "new_order", "driver", "import_orders", "ws_test", "health_dashboard", "health", "health_database",
        "health_redis", "health_websocket", "health_notifications", "health_metrics", "password_change",
    )},
    "health_plot": page("health_plot", "hour", "connections"),
}  # fmt: skip


# Sockets.


def identity(house: House, who: str) -> Identity:
    """Returns the identity in the user's token."""
    return auth.of_token(str(Refresh.for_user(house.depot.users[who]).access_token))


def refusing(work: Callable[[], Any]) -> Outcome:
    try:
        work()
    except Refusal as refusal:
        return REFUSED if refusal.code in ("forbidden", "no_role") else refusal.code
    return SERVED


def endpoint(name: str) -> Ask:
    def ask(house: House, who: str) -> Outcome:
        if who == "nobody":
            return REFUSED  # there is no token to send
        token = Refresh.for_user(house.depot.users[who]).access_token
        scope = {"query_string": f"token={token}".encode(), "headers": [], "client": ("203.0.113.7", 1)}
        return refusing(lambda: asyncio.run(auth.identify(scope, name)))

    return ask


def channel(name: str | Callable[[House], str]) -> Ask:
    def ask(house: House, who: str) -> Outcome:
        known = name if isinstance(name, str) else name(house)
        if who in ("none", "nobody"):
            return REFUSED  # they have no socket
        return SERVED if channels.may_read(identity(house, who), known) else REFUSED

    return ask


def command(type_: str, before: OrderStatus, **said: Any) -> Ask:
    def ask(house: House, who: str) -> Outcome:
        if who == "nobody":
            return REFUSED
        message = {"type": type_, "order_id": house.order(before).pk, **said}
        return refusing(lambda: commands.carry_out(identity(house, who), message))

    return ask


def position(house: House, who: str) -> Outcome:
    if who == "nobody":
        return REFUSED
    hub = SimpleNamespace(positions=SimpleNamespace(take=id))
    connection = SimpleNamespace(identity=identity(house, who))
    said = {"latitude": 25.03, "longitude": 121.56, "timestamp": (timezone.now() - timedelta(seconds=1)).isoformat()}
    return refusing(lambda: asyncio.run(commands.location_update(hub, connection, said)))  # type: ignore[arg-type]


SOCKETS: dict[str, Ask] = {
    **{f"/{name}": endpoint(name) for name in ("ws", "office", "driver")},
    **{name: channel(name) for name in (*channels.OFFICE, "system")},
    "driver:{the driver}": channel(lambda house: f"driver:{house.row(Driver).pk}"),
    "driver:{another}": channel("driver:999999"),
    "route:{any}": channel(lambda house: f"route:{house.row(Route).pk}"),
    "order:{own}": channel(lambda house: f"order:{house.order(OrderStatus.ASSIGNED).pk}"),
    "order:{another's}": channel("order:999999"),
    "customer:{the customer}": channel(lambda house: f"customer:{house.row(Customer).pk}"),
    "user:{another}": channel("user:999999"),
    "order_update": command("order_update", OrderStatus.ASSIGNED, status="delivering"),
    "delivery.confirmed": command(
        "delivery.confirmed", OrderStatus.ARRIVING, confirmation_type="manual"
    ),
    "location_update": position,
}  # fmt: skip


def surfaces() -> dict[str, Ask]:
    """Returns all access paths by name: `GET orders/`, `orders.order save`, `admin:…`, `page …`, `socket …`."""
    found: dict[str, Ask] = {label.replace(V1, ""): partial(api, label=label) for label in calls()}
    found |= more_of_the_api()
    for name, model in models().items():
        found |= {f"{name} {key}": ask for key, ask in crud(model).items()}
    found |= more_of_the_admin()
    found |= {f"page {name}": ask for name, ask in PAGES.items()}
    found |= {f"socket {name}": ask for name, ask in SOCKETS.items()}
    return {name: undone(ask) for name, ask in found.items()}


__all__ = ["SECRET", "Event", "House", "surfaces"]
