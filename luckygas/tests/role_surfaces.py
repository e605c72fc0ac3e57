"""Every access path of the site (API, admin, pages, sockets). Tests try each in each role: is it served or refused?"""

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
from orders.tests.factories import make_customer, make_staff, make_user, set_switch
from orders.tests.test_proof_images import make_image, make_upload
from realtime import auth, channels, commands
from realtime.channels import Identity
from realtime.models import Event, WebSocketConnection
from web import flags
from web.models import SystemMetric
from web.refusals import Refusal

STAFF_ROLES = ("owner", "manager", "clerk")
ROLES = (*STAFF_ROLES, "driver", "customer")
# The roles, a user without a role ("none"), and a visitor without sign-in ("nobody").
CALLERS = (*ROLES, "none", "nobody")
Outcome = str
SERVED, REFUSED = "served", "refused"


@dataclass
class RoleClients:
    """A depot, and for each of CALLERS a browser and an API client (`programs`)."""

    depot: Depot = field(default_factory=make_depot)

    def __post_init__(self) -> None:
        staff = {role: make_staff(role, email=f"{role}@example.com") for role in STAFF_ROLES}
        self.depot.users.update(staff | {"none": make_user()})
        self.other = {"manager": make_staff("manager"), "clerk": make_staff("clerk")}
        MessageTemplate.make_missing()
        for name in flags.MEANINGS:
            set_switch(name, True)
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
        self.browsers = {caller: Client(headers={"accept-language": "en"}) for caller in CALLERS}
        self.programs = {caller: APIClient(HTTP_ACCEPT_LANGUAGE="en") for caller in CALLERS}
        for caller in CALLERS[:-1]:
            self.browsers[caller].force_login(self.depot.users[caller])
            token = Refresh.for_user(self.depot.users[caller]).access_token
            self.programs[caller].credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    def row(self, model: type[Model]) -> Any:
        return self.rows.setdefault(model, model._default_manager.order_by("pk").first())

    def order(self, status: OrderStatus) -> Order:
        return self.depot.orders[status]


Attempt = Callable[[RoleClients, str], Outcome]


def rolled_back(attempt: Attempt) -> Attempt:
    """Wraps `attempt` in a transaction that is rolled back."""

    def wrapped(clients: RoleClients, caller: str) -> Outcome:
        with transaction.atomic():
            outcome = attempt(clients, caller)
            transaction.set_rollback(True)
        return outcome

    return wrapped


def status(answer: Any, *, redirect_is_refusal: bool = False) -> Outcome:
    """Returns SERVED or REFUSED, or the status and the beginning of the body for any other status of 400 or more.

    A redirect to the sign-in page counts as refused; with `redirect_is_refusal` every 302 does.
    """
    code, target = answer.status_code, answer.get("location", "")
    if code in (401, 403) or "/login/" in target or (redirect_is_refusal and code == 302):
        return REFUSED
    return SERVED if code < 400 else f"{code} {answer.content.decode()[:300]}"


# The API.


def calls() -> Iterator[str]:
    document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    yield from (f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods)


FORM = "application/x-www-form-urlencoded"


def api(clients: RoleClients, caller: str, label: str) -> Outcome:
    """Makes one valid API request.

    The outcome of a list ends with its number of rows, because a role with only its own rows gets fewer.
    """
    arguments = good_request(clients.depot, caller, label)
    method, path = label.split(" ")
    address = path.format(**arguments.get("path_parameters", {}))
    send = getattr(clients.programs[caller], method.lower())
    answer = send(address, arguments.get("query")) if method == "GET" else send(address, **body_arguments(arguments))
    outcome = status(answer)
    rows = answer.json() if outcome == SERVED and "json" in answer.get("content-type", "") else None
    count = rows.get("count") if isinstance(rows, dict) else None
    return outcome if count is None else f"{outcome} {count}"


def body_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Converts the body and media type of a schemathesis case to keyword arguments of APIClient.

    They are `data`, with the `format` or the `content_type`. A multipart body gets a new image to upload.
    """
    body, kind = arguments.get("body"), arguments.get("media_type")
    if body is not None and kind == FORM:
        return {"data": urlencode(body), "content_type": FORM}
    if body is not None and kind == "multipart/form-data":
        return {"data": body | {"image": make_upload(make_image())}, "format": "multipart"}
    return {"data": body, "format": "json"}


def other_api_requests() -> dict[str, Attempt]:
    """Returns by name further requests to the same operations, with values that need another permission."""

    def patch(path: str, of: Callable[[RoleClients], Any], body: Callable[[RoleClients], Any]) -> Attempt:
        return lambda clients, caller: status(
            clients.programs[caller].patch(V1 + path.format(of(clients)), body(clients), format="json")
        )

    def whole_number(clients: RoleClients, caller: str) -> Outcome:
        row = NotificationHistory.objects.get(gateway="mitake")
        answer = clients.programs[caller].get(f"{V1}notifications/{row.pk}/")
        return SERVED if answer.status_code == 200 and "*" not in answer.json()["recipient"] else REFUSED

    def resend(clients: RoleClients, caller: str) -> Outcome:
        row = NotificationHistory.objects.get(status=MessageStatus.FAILED)
        return status(clients.programs[caller].post(f"{V1}notifications/{row.pk}/resend/", {}, format="json"))

    def new_customer(clients: RoleClients, caller: str) -> Outcome:
        body = good_request(clients.depot, "office", f"POST {V1}orders/")["body"]
        body.pop("customer")
        body = body | {"new_customer": {"name": "王", "address": "台北市大安區信義路四段1號"}}
        return status(clients.programs[caller].post(f"{V1}orders/", body, format="json"))

    delivered = {"status": "cancelled", "reason": "reported by mistake"}
    return {
        "the stock of a product": patch("products/{}/", lambda h: h.row(Product).pk, lambda _h: {"stock": 7}),
        "the account of a customer": patch(
            "customers/{}/", lambda h: h.row(Customer).pk, lambda _h: {"user": make_user().pk}
        ),
        "a manager's account for a customer": patch(
            "customers/{}/", lambda h: h.row(Customer).pk, lambda h: {"user": h.other["manager"].pk}
        ),
        "a correction of a delivery": patch(
            "orders/{}/status/", lambda h: h.order(OrderStatus.DELIVERED).pk, lambda _h: delivered
        ),
        "a whole telephone number": whole_number,
        "a message again": resend,
        "an order of a new customer": new_customer,
    }


# The admin.


def model_pages(model: type[Model]) -> dict[str, Attempt]:
    """Returns by key a request to each admin page of the model. A form with errors counts as served."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"

    def request_page(clients: RoleClients, caller: str, page: str, method: str) -> Outcome:
        args = [] if page in ("changelist", "add") else [clients.row(model).pk]
        return status(getattr(clients.browsers[caller], method)(reverse(f"{name}_{page}", args=args)))

    pages = {"list": ("changelist", "get"), "page": ("change", "get"), "history": ("history", "get"),
             "add": ("add", "get"), "save": ("change", "post"), "delete": ("delete", "get")}  # fmt: skip
    return {key: partial(request_page, page=page, method=method) for key, (page, method) in pages.items()}


def models() -> dict[str, type[Model]]:
    return {model._meta.label_lower: model for model in apps.get_models() if admin.site.is_registered(model)}


def admin_page(name: str, arguments: Callable[[RoleClients], list[Any]], method: str = "get", **data: Any) -> Attempt:
    """Returns a request to one of our own admin pages. A redirect counts as served, except to the sign-in page.

    `arguments` returns those of the URL. A value of `data` may be a function of the clients.
    """

    def request_page(clients: RoleClients, caller: str) -> Outcome:
        url = reverse(name, args=arguments(clients))
        form_data = {key: value(clients) if callable(value) else value for key, value in data.items()}
        answer = getattr(clients.browsers[caller], method)(url, form_data)
        return status(answer)

    return request_page


def id_argument(model: type[Model]) -> Callable[[RoleClients], list[Any]]:
    """Returns `arguments` for `admin_page`: a list with the id of the model's row in RoleClients."""
    return lambda clients: [clients.row(model).pk]


def customer_without_account(clients: RoleClients) -> list[Any]:
    return [make_customer(email="new@example.com").pk, "open"]


def failed_message(clients: RoleClients) -> list[Any]:
    return [NotificationHistory.objects.get(status=MessageStatus.FAILED).pk]


def other_admin_pages() -> dict[str, Attempt]:
    def customer(step: str) -> Callable[[RoleClients], list[Any]]:
        return lambda clients: [clients.row(Customer).pk, step]

    def move(before: OrderStatus, to: str) -> Callable[[RoleClients], list[Any]]:
        return lambda clients: [clients.order(before).pk, to]

    def version(status: OrderStatus) -> Callable[[RoleClients], int]:
        return lambda clients: clients.order(status).version

    choice = {"app_label": "orders", "model_name": "order", "field_name": "customer", "term": ""}
    preview = {"kind": "order_delivered", "language": "en", "body": "x"}
    none: Callable[[RoleClients], list[Any]] = lambda _clients: []  # noqa: E731
    return {
        "admin:index": admin_page("admin:index", none),
        "admin:customers_customer_choose": admin_page("admin:customers_customer_choose", none, **choice),
        "admin:customers_customer_account": admin_page("admin:customers_customer_account", customer("link"), "post"),
        "admin:customers_customer_account, open": admin_page(
            "admin:customers_customer_account", customer_without_account, "post"
        ),
        "admin:catalogue_product_stock": admin_page("admin:catalogue_product_stock", id_argument(Product)),
        "admin:dispatch_driver_password": admin_page("admin:dispatch_driver_password", id_argument(Driver), "post"),
        "admin:auth_user_link": admin_page("admin:auth_user_link", lambda h: [h.other["clerk"].pk], "post"),
        "admin:auth_user_link, a manager's": admin_page(
            "admin:auth_user_link", lambda h: [h.other["manager"].pk], "post"
        ),
        "admin:orders_order_statistics": admin_page("admin:orders_order_statistics", none),
        "admin:orders_order_statistics, csv": admin_page("admin:orders_order_statistics", none, format="csv"),
        "admin:orders_order_move": admin_page(
            "admin:orders_order_move", move(OrderStatus.PENDING, "confirmed"), "post",
            version=version(OrderStatus.PENDING)
        ),
        "admin:orders_order_move, a correction": admin_page(
            "admin:orders_order_move", move(OrderStatus.DELIVERED, "cancelled"), "post",
            version=version(OrderStatus.DELIVERED), reason="reported by mistake",
        ),
        "admin:dispatch_route_assign": admin_page("admin:dispatch_route_assign", id_argument(Route)),
        "admin:notifications_gateway_start": admin_page(
            "admin:notifications_gateway_start", lambda _h: ["mitake"], "post"
        ),
        "admin:notifications_resend": admin_page("admin:notifications_resend", failed_message, "post"),
        "admin:notifications_resend, overruled": admin_page(
            "admin:notifications_resend", failed_message, "post", overrule="yes"
        ),
        "admin:notifications_export": admin_page("admin:notifications_export", none),
        "admin:notifications_text_preview": admin_page("admin:notifications_text_preview", none, "post", **preview),
        "admin:notifications_text_default": admin_page(
            "admin:notifications_text_default", id_argument(MessageTemplate), "post"
        ),
    }  # fmt: skip


# Pages outside the admin.


def page(name: str, *args: Any, method: str = "get") -> Attempt:
    return lambda clients, caller: status(
        getattr(clients.browsers[caller], method)(reverse(name, args=args)), redirect_is_refusal=True
    )


PAGES: dict[str, Attempt] = {
    **{name: page(name) for name in (
        "home", "new_order", "driver", "import_orders", "ws_test", "health_dashboard", "health", "health_database",
        "health_redis", "health_websocket", "health_notifications", "health_metrics", "password_change",
    )},
    "health_plot": page("health_plot", "hour", "connections"),
}  # fmt: skip


# Sockets.


def identity(clients: RoleClients, caller: str) -> Identity:
    """Returns the identity that a socket with the caller's token has."""
    return auth.identity_of_token(str(Refresh.for_user(clients.depot.users[caller]).access_token))


def outcome_of(work: Callable[[], Any]) -> Outcome:
    try:
        work()
    except Refusal as refusal:
        return REFUSED if refusal.code in ("forbidden", "no_role") else refusal.code
    return SERVED


def endpoint(name: str) -> Attempt:
    def attempt(clients: RoleClients, caller: str) -> Outcome:
        if caller == "nobody":
            return REFUSED  # there is no token to send
        token = Refresh.for_user(clients.depot.users[caller]).access_token
        scope = {"query_string": f"token={token}".encode(), "headers": [], "client": ("203.0.113.7", 1)}
        return outcome_of(lambda: asyncio.run(auth.identify(scope, name)))

    return attempt


def channel(name: str | Callable[[RoleClients], str]) -> Attempt:
    def attempt(clients: RoleClients, caller: str) -> Outcome:
        known = name if isinstance(name, str) else name(clients)
        if caller in ("none", "nobody"):
            return REFUSED  # they have no socket
        return SERVED if channels.may_read(identity(clients, caller), known) else REFUSED

    return attempt


def command(type_: str, before: OrderStatus, **fields: Any) -> Attempt:
    def attempt(clients: RoleClients, caller: str) -> Outcome:
        if caller == "nobody":
            return REFUSED
        message = {"type": type_, "order_id": clients.order(before).pk, **fields}
        return outcome_of(lambda: commands.execute(identity(clients, caller), message))

    return attempt


def position(clients: RoleClients, caller: str) -> Outcome:
    if caller == "nobody":
        return REFUSED
    hub = SimpleNamespace(positions=SimpleNamespace(accept=id))
    connection = SimpleNamespace(identity=identity(clients, caller))
    message = {"latitude": 25.03, "longitude": 121.56, "timestamp": (timezone.now() - timedelta(seconds=1)).isoformat()}
    return outcome_of(lambda: asyncio.run(commands.location_update(hub, connection, message)))  # type: ignore[arg-type]


SOCKETS: dict[str, Attempt] = {
    **{f"/{name}": endpoint(name) for name in ("ws", "office", "driver")},
    **{name: channel(name) for name in (*channels.OFFICE_CHANNELS, "system")},
    "driver:{the driver}": channel(lambda clients: f"driver:{clients.row(Driver).pk}"),
    "driver:{another}": channel("driver:999999"),
    "route:{any}": channel(lambda clients: f"route:{clients.row(Route).pk}"),
    "order:{own}": channel(lambda clients: f"order:{clients.order(OrderStatus.ASSIGNED).pk}"),
    "order:{another's}": channel("order:999999"),
    "customer:{the customer}": channel(lambda clients: f"customer:{clients.row(Customer).pk}"),
    "user:{another}": channel("user:999999"),
    "order_update": command("order_update", OrderStatus.ASSIGNED, status="delivering"),
    "delivery.confirmed": command(
        "delivery.confirmed", OrderStatus.ARRIVING, confirmation_type="manual"
    ),
    "location_update": position,
}  # fmt: skip


def access_paths() -> dict[str, Attempt]:
    """Returns all access paths by name, such as `GET orders/`, `orders.order save`, `admin:…`, `page …`, `socket …`."""
    found: dict[str, Attempt] = {label.replace(V1, ""): partial(api, label=label) for label in calls()}
    found |= other_api_requests()
    for name, model in models().items():
        found |= {f"{name} {key}": attempt for key, attempt in model_pages(model).items()}
    found |= other_admin_pages()
    found |= {f"page {name}": attempt for name, attempt in PAGES.items()}
    found |= {f"socket {name}": attempt for name, attempt in SOCKETS.items()}
    return {name: rolled_back(attempt) for name, attempt in found.items()}


__all__ = ["SECRET", "Event", "RoleClients", "access_paths"]
