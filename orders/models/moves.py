"""How an order moves: the one door through which its status changes, whoever asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.roles import Side
from dispatch.models import Driver
from orders import states
from orders.order_refusals import VersionConflict
from orders.sides import check_naming_driver, sides_towards
from orders.states import Status
from web.refusals import Refusal
from web.timings import measured

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from orders.models.order import Order
    from orders.models.status_change import OrderStatusChange

# A telephone's clock may be ahead of ours by this much.
CLOCK_SKEW = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Proof:
    """What the driver brings back; `quantities` by product id, where not all that was ordered was delivered."""

    confirmation_type: str = "manual"
    cylinder_serials: list[str] = field(default_factory=list)
    quantities: Mapping[int, int] = field(default_factory=dict)
    amount_collected: int | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """One request to move an order. `ref` is the client's name for it: repeated, it is answered and not done again.

    `eta` is the hour the customer is to expect; `details` are kept with the history as they are (JSON).
    """

    to: str
    by: User | None = None
    source: str = "command"
    at: datetime | None = None
    reason: str = ""
    eta: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    ref: str | None = None
    version: int | None = None
    driver: Driver | None = None
    proof: Proof | None = None


class Moves(models.Model):
    """The moves of an order; mixed into `Order`."""

    class Meta:
        abstract = True

    def transition_to(self: Order, to: str, **circumstances: Any) -> OrderStatusChange:  # type: ignore[misc]
        """Moves the order to `to` in one short transaction, its row locked and read afresh.

        Keywords are the fields of `Command`. Raises Refusal (VersionConflict where `version` is too old) and then
        leaves everything as it was. What was set on this object and not saved is dropped.
        """
        with transaction.atomic():
            self.lock()
            return self.move(Command(to, **circumstances))

    def lock(self: Order) -> None:  # type: ignore[misc]
        """Reads the row again and holds it until the transaction ends."""
        self.refresh_from_db(from_queryset=type(self).objects.held())

    @measured("move")
    def move(self: Order, command: Command) -> OrderStatusChange:  # type: ignore[misc]
        """`transition_to` for a row that this transaction holds.

        Refuses before it writes; but where the same `ref` is used for another order at this very moment, this
        transaction must be rolled back.
        """
        if (done := _repeated(self, command)) is not None:
            return done
        if command.version is not None and command.version != self.version:
            raise VersionConflict(self.version)
        before = self.status
        roles = sides_towards(command.by, self)
        if not _is_reassignment(self, command, roles):
            states.check(before, command.to, roles, command.reason)
        if command.driver is not None:
            check_naming_driver(roles)
        happened = _checked_time(command.at, self)
        items = _checked_quantities(self, command) if command.to == Status.DELIVERED else {}
        _set_columns(self, command)
        from orders.models.order import Change
        from web.actors import Actor

        self.save(change=Change(Actor(command.by, command.source), happened, command.reason))
        row = _write_down(self, command, before, happened)
        if command.to == Status.DELIVERED:
            _deliver(self, command, items, happened)
        elif before == Status.DELIVERED:
            _take_back(self)
        return row

    def assign(self: Order, driver: Driver | None, **circumstances: Any) -> OrderStatusChange:  # type: ignore[misc]
        """Gives the order to a driver, from another straight to this one, or (None) takes it back."""
        return self.transition_to(Status.ASSIGNED if driver else Status.CONFIRMED, driver=driver, **circumstances)


def _repeated(order: Order, command: Command) -> OrderStatusChange | None:
    """The row of the accepted command that this one repeats."""
    from orders.models.status_change import OrderStatusChange

    if command.ref is None or command.by is None:
        return None
    done = OrderStatusChange.objects.filter(by=command.by, ref=command.ref).first()
    if done is not None and (done.order_id, done.to_status) != (order.pk, command.to):
        raise ref_reused()
    return done


def ref_reused() -> Refusal:
    return Refusal("ref_reused", _("This ref was used for another command."), attr="ref", status=409)


def _write_down(order: Order, command: Command, before: str, happened: datetime) -> OrderStatusChange:
    """The row of the history; `ref` is unique with the user, whatever two commands at once have read before."""
    try:
        row: OrderStatusChange = order.history.create(
            from_status=before, to_status=command.to, by=command.by, source=command.source, reason=command.reason,
            at=happened, details=dict(command.details), version=order.version, ref=command.ref,
        )  # fmt: skip
    except IntegrityError as error:
        if command.ref is None:
            raise
        raise ref_reused() from error
    return row


def _is_reassignment(order: Order, command: Command, roles: Collection[Side]) -> bool:
    """An assigned order may go straight to another driver, by the office."""
    return (
        order.status == command.to == Status.ASSIGNED
        and command.driver is not None
        and command.driver.pk != order.driver_id
        and Side.OFFICE in roles
    )


def _checked_time(at: datetime | None, order: Order) -> datetime:
    now = timezone.now()
    if at is None:
        return now
    if at > now + CLOCK_SKEW:
        raise Refusal("invalid_time", _("The time lies in the future; check the clock of the device."), attr="at")
    if at < order.created_at - CLOCK_SKEW:
        raise Refusal("invalid_time", _("The time lies before the order was placed."), attr="at")
    return min(at, now)


def _checked_quantities(order: Order, command: Command) -> dict[int, int]:
    """Cylinders delivered, by product id: what was ordered, or the smaller number the proof names."""
    ordered = {item.product_id: item.quantity for item in order.items.all()}
    named = command.proof.quantities if command.proof else {}
    for product, quantity in named.items():
        if product not in ordered or not 0 <= quantity <= ordered[product]:
            detail = _("Delivered can only be what was ordered, and no more than that.")
            raise Refusal("invalid_quantity", detail, attr="quantities")
    delivered = ordered | dict(named)
    if named and not any(delivered.values()):
        detail = _("Nothing was delivered: report that it could not be delivered, with the reason.")
        raise Refusal("invalid_quantity", detail, attr="quantities")
    return delivered


def _set_columns(order: Order, command: Command) -> None:
    """The columns that follow from the move, besides the status itself."""
    if command.to == Status.CONFIRMED and order.status != Status.PENDING:
        # Back with the office: whoever gets it next decides about driver, route and hour.
        order.attempt += order.status == Status.FAILED
        order.driver = order.route = order.stop_sequence = order.eta = None
    if command.to == Status.ASSIGNED:
        order.driver = command.driver or order.driver or (order.route.driver if order.route else None)
        if order.driver is None or not order.driver.is_active:
            raise Refusal("driver_required", _("Please choose a driver who is active."), attr="driver")
        if order.route is not None and order.route.driver_id != order.driver.pk:
            order.route = order.stop_sequence = None
    if command.eta is not None:
        order.eta = command.eta
    if command.to == Status.DELIVERED and command.proof and command.proof.amount_collected is not None:
        order.amount_collected = command.proof.amount_collected
    order.status = command.to


def _deliver(order: Order, command: Command, delivered: dict[int, int], at: datetime) -> None:
    """Writes the proof, what was delivered of each item, and takes it from the stock (in one order: no deadlock)."""
    proof = command.proof or Proof()
    order.confirmations.create(
        attempt=order.attempt, confirmation_type=proof.confirmation_type, cylinder_serials=proof.cylinder_serials,
        confirmed_at=at, by=command.by, latitude=proof.latitude, longitude=proof.longitude,
    )  # fmt: skip
    from catalogue.models import Product

    for item in order.items.order_by("product_id"):
        item.quantity_delivered = delivered[item.product_id]
        item.save(update_fields=["quantity_delivered"])
        Product.add_stock(item.product_id, -item.quantity_delivered)


def _take_back(order: Order) -> None:
    """A delivery that was none: what left the stock comes back."""
    from catalogue.models import Product

    for item in order.items.order_by("product_id"):
        Product.add_stock(item.product_id, item.quantity_delivered or 0)
