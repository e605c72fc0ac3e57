"""Signal receivers that write outbox rows for changes of other apps' models."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_out
from django.db.models.signals import post_delete, post_save
from django.dispatch import Signal
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts.api.tokens import signed_out
from accounts.models import StaffRole
from catalogue.models import Product
from customers.models import Customer
from dispatch.models import Driver, Route
from notifications.models import (
    GatewayState,
    NotificationHistory,
    StatusNote,
    gateway_changed,
    message_moved,
    reply_received,
)
from notifications.states import BAD_NEWS, GOOD_NEWS, Reason
from orders import order_fields
from orders.models import DeliveryConfirmation, Order
from orders.models.order import order_delivered
from orders.states import OrderStatus
from realtime import rights
from realtime.events import order_channels
from realtime.outbox import announce
from realtime.publish import publish


def on_order_saved(sender: type[Order], instance: Order, created: bool, **kwargs: Any) -> None:
    status_changed = "status" in instance.before
    type_ = "order.created" if created else "order.status_changed" if status_changed else "order.updated"
    announce(type_, f"order:{instance.pk}", order_delta(instance, created))


def order_delta(order: Order, created: bool) -> dict[str, Any]:
    """The facts of the change. They are stored now, because the order may change again before the event gets its id."""
    actor, before = order.change.actor, order.before
    by = (actor.by.get_full_name() or actor.by.get_username()) if actor.by else ""
    return order_fields.event_data(order) | {
        "at": order.change.at.isoformat(), "by": by, "source": order.change.actor.source, "reason": order.change.reason,
        "previous_status": before.get("status"), "previous_driver": before.get("driver_id"),
        "previous_customer": before.get("customer_id"),
        "routes_touched": _routes_touched(order, created),
        "now_urgent": order.priority == "urgent" and (created or "priority" in before),
        "now_expected": not created and "eta" in before,
        "now_driven": order.driver_id is not None and (created or "driver_id" in before),
    }  # fmt: skip


def _routes_touched(order: Order, created: bool) -> list[int]:
    """The ids of routes whose number of stops this save may have changed."""
    touched = {order.route_id} if created or "route_id" in order.before else set()
    touched.add(order.before.get("route_id"))
    if order.status == OrderStatus.CANCELLED and "status" in order.before:
        touched.add(order.route_id)
    return sorted(pk for pk in touched if pk is not None)


def on_route_saved(sender: type[Route], instance: Route, created: bool, **kwargs: Any) -> None:
    if not created and not instance.before:
        return
    driven = instance.driver_id is not None and (created or "driver_id" in instance.before)
    # The stops are counted when the event gets its id, because another transaction may be changing them now.
    facts = {
        "driver_id": instance.driver_id, "date": str(instance.date),
        "previous_driver": instance.before.get("driver_id"),
    }  # fmt: skip
    announce("route.assigned" if driven else "route.updated", f"route:{instance.pk}", facts)


def on_customer_saved(sender: type[Customer], instance: Customer, created: bool, **kwargs: Any) -> None:
    if created or instance.before:
        type_ = "customer.created" if created else "customer.updated"
        announce(type_, f"customer:{instance.pk}", {"name": instance.name})


def on_product_saved(sender: type[Product], instance: Product, created: bool, **kwargs: Any) -> None:
    if created or instance.before:
        announce("inventory.updated", f"product:{instance.pk}", product_delta(instance, created))


def product_delta(product: Product, created: bool) -> dict[str, Any]:
    """The facts of the change. `now_low`: with this change the stock became lower than the threshold."""
    stock, threshold = product.stock, product.low_stock_threshold
    before = (product.before.get("stock", stock), product.before.get("low_stock_threshold", threshold))
    now_low = stock < threshold and (created or before[0] >= before[1])
    return {"name": product.name, "stock": stock, "threshold": threshold, "now_low": now_low}


def on_order_delivered(sender: type[Order], confirmation: DeliveryConfirmation, **kwargs: Any) -> None:
    facts = {
        "confirmation_type": confirmation.confirmation_type, "cylinder_serials": confirmation.cylinder_serials,
        "confirmed_at": confirmation.confirmed_at.isoformat(),
        "channels": order_channels(
            confirmation.order_id, confirmation.order.customer_id, confirmation.order.driver_id
        ),
    }  # fmt: skip
    announce("delivery.confirmed", f"order:{confirmation.order_id}", facts)


def on_message_moved(sender: type[Any], message: NotificationHistory, **kwargs: Any) -> None:
    if message.status_reason == Reason.SWITCHED_OFF:
        return  # the office itself turned SMS off, so it needs no announcement of each message
    if message.status in GOOD_NEWS | BAD_NEWS:
        type_ = "notification.sent" if message.status in GOOD_NEWS else "notification.failed"
        facts = {
            "order_id": message.order_id, "kind": message.kind, "status": message.status,
            "reason": message.status_reason,
        }  # fmt: skip
        announce(type_, f"notification:{message.pk}", facts)


def on_reply_received(sender: type[Any], note: StatusNote, **kwargs: Any) -> None:
    message = note.message
    # Every office screen shows this text, so it is in the site's language, not in that of the provider's request.
    with translation.override(settings.LANGUAGE_CODE):
        title = str(_("A customer replied to an SMS"))
    data = {"title": title, "message": f"{message.customer.name}: {note.reply}"}
    action = {"type": "notification"} | ({"order_id": message.order_id} if message.order_id else {})
    publish("notification", data | {"action": action}, channel="staff")


GATEWAY_NEWS = {
    GatewayState.News.STOPPED: _("Messages through %(gateway)s are stopped: %(because)s"),
    GatewayState.News.STARTED: _("Messages through %(gateway)s are sent again."),
    GatewayState.News.DOUBTED: _("The provider %(gateway)s responded with an unknown code: %(because)s"),
}


def on_gateway_changed(sender: type[Any], state: GatewayState, news: GatewayState.News, **kwargs: Any) -> None:
    facts = {"gateway": state.gateway, "because": state.stopped_because or state.doubted_because}
    # Every office screen shows this text, so it is in the site's language, not in that of the user who caused it.
    with translation.override(settings.LANGUAGE_CODE):
        text = str(GATEWAY_NEWS[news] % facts)
    severity = "success" if news is GatewayState.News.STARTED else "error"
    publish("maintenance.alert", {"message": text, "severity": severity}, channel="staff")


def revoke_rights(whose: str) -> None:
    """Revokes rights. Hubs close all sockets of a `session:…`, or those of `user:5` whose rights are not current."""
    announce(rights.TYPE, whose, {})


# The user fields that permissions depend on. A change of other fields, such as `last_login`, revokes nothing.
ACCOUNT_FIELDS = frozenset({"password", "is_active", "is_staff", "is_superuser"})


def on_user_changed(
    sender: type[User], instance: User, created: bool = False, update_fields: Any = None, **kwargs: Any
) -> None:
    """Revokes rights after a user was deleted, or after a field of ACCOUNT_FIELDS may have changed."""
    if not created and (update_fields is None or not ACCOUNT_FIELDS.isdisjoint(update_fields)):
        revoke_rights(f"user:{instance.pk}")


def on_role_changed(sender: type[StaffRole], instance: StaffRole, **kwargs: Any) -> None:
    """Revokes rights after a role was given, changed or removed."""
    revoke_rights(f"user:{instance.user_id}")


def on_driver_or_customer_saved(sender: type[Any], instance: Driver | Customer, created: bool, **kwargs: Any) -> None:
    """Revokes rights after a driver or customer was created, linked to another account, activated or deactivated."""
    if created or not {"user_id", "is_active"}.isdisjoint(instance.before):
        for pk in {instance.user_id, instance.before.get("user_id")} - {None}:
            revoke_rights(f"user:{pk}")


def on_session_signed_out(sender: Any, request: Any, **kwargs: Any) -> None:
    if request.session.session_key:
        revoke_rights(f"session:{rights.session_name(request.session.session_key)}")


def on_token_signed_out(sender: Any, session: str | None, **kwargs: Any) -> None:
    if session:
        revoke_rights(f"session:{session}")


RECEIVERS: list[tuple[Signal, Any, Any]] = [
    (post_save, Order, on_order_saved),
    (post_save, Route, on_route_saved),
    (post_save, Customer, on_customer_saved),
    (post_save, Product, on_product_saved),
    (order_delivered, None, on_order_delivered),
    (message_moved, None, on_message_moved),
    (reply_received, None, on_reply_received),
    (gateway_changed, None, on_gateway_changed),
    (post_save, Driver, on_driver_or_customer_saved),
    (post_save, Customer, on_driver_or_customer_saved),
    (post_save, User, on_user_changed),
    (post_save, StaffRole, on_role_changed),
    (post_delete, StaffRole, on_role_changed),
    (post_delete, User, on_user_changed),
    (user_logged_out, None, on_session_signed_out),
    (signed_out, None, on_token_signed_out),
]


def connect() -> None:
    """Connects all receivers. Call once."""
    for signal, sender, receiver in RECEIVERS:
        signal.connect(receiver, sender=sender)
