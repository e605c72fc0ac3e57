"""Orders and their history: every change of status is a move of `Order` and writes an `OrderStatusChange`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import IntegrityError, models, transaction
from django.dispatch import Signal
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import visibility
from accounts.roles import Side
from customers.addresses import district
from customers.models import Customer
from dispatch.models import Driver, Route
from orders import delivery_parts, numbers, states
from orders.models.queries import OrderQuerySet
from orders.permissions import check_correcting, check_office_only, sides_towards
from orders.states import OrderStatus
from web.actors import Actor, Source
from web.audit import Audit, ItemsThen
from web.limits import MAX_MONEY, validate_moment
from web.refusals import Refusal
from web.timings import measure
from web.tracked import Tracked

# Highest `stop_sequence` on a route.
MAX_STOPS = 999
# A report at most this late counts as sent at once: a slow connection or a wrong clock explains the delay.
MAX_REPORT_DELAY = timedelta(minutes=1)
# The signal of a delivery, sent in the transaction of the move. The sender is `Order`; `confirmation` is the new
# DeliveryConfirmation.
order_delivered = Signal()


class VersionConflict(Refusal):
    """The order changed after the caller read it."""

    def __init__(self, version: int) -> None:
        detail = _("This order has changed since you loaded it. Please load it again. Its version is now %(version)d.")
        super().__init__("version_conflict", detail % {"version": version}, attr="version", status=409, version=version)


def no_such_order() -> Refusal:
    return Refusal("not_found", _("There is no such order, or you may not see it."), status=404)


def ref_reused() -> Refusal:
    return Refusal(
        "ref_reused",
        _("This `ref` was already used for another request. Please send a new `ref`."),
        attr="ref",
        status=409,
    )


class Priority(models.TextChoices):
    NORMAL = "normal", _("Normal")
    URGENT = "urgent", _("Urgent")


class TimeSlot(models.TextChoices):
    ANYTIME = "anytime", _("any time")
    MORNING = "morning", _("morning, 08–12")
    AFTERNOON = "afternoon", _("afternoon, 13–17")
    EVENING = "evening", _("evening, 18–21")


@dataclass(frozen=True, slots=True)
class Change:
    """The circumstances of one save. Receivers of `post_save` read them as `order.change`."""

    actor: Actor = field(default_factory=Actor)
    at: datetime = field(default_factory=timezone.now)
    reason: str = ""
    # Descriptions of the new items and of those that they replace; empty if this save does not change the items.
    items: str = ""
    items_before: str = ""


# Tolerated difference between a telephone's clock and ours.
CLOCK_SKEW = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Proof:
    """Proof of delivery.

    `quantities` maps product ids to the cylinders delivered. Products that it leaves out were delivered as ordered.
    """

    confirmation_type: str = "manual"
    cylinder_serials: list[str] = field(default_factory=list)
    quantities: Mapping[int, int] = field(default_factory=dict)
    latitude: float | None = None
    longitude: float | None = None
    # Values for the fields of `orders.delivery_parts`, by name.
    parts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Command:
    """One request to move an order. `ref` is the client's idempotency key.

    `at` is when the move happened (None: now). `eta` is the arrival time announced to the customer. `details` (JSON) is
    stored unchanged in the history. `version` is the version that the order must have (None: any).
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


class OrderStatusChange(models.Model):
    """One move of an order, written in the transaction of the move. `from_status` is empty for the creation.

    `at` is when the move happened. `recorded_at` is when the server received it, which is later if the driver had no
    signal. `ref` is the client's idempotency key, unique per user: a repeated command is answered from this row.
    """

    order = models.ForeignKey("orders.Order", models.CASCADE, related_name="history", verbose_name=_("order"))
    from_status = models.CharField(_("from"), max_length=12, choices=OrderStatus, blank=True)
    to_status = models.CharField(_("to"), max_length=12, choices=OrderStatus)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    source = models.CharField(_("source"), max_length=12, choices=Source)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    at = models.DateTimeField(_("at"))
    recorded_at = models.DateTimeField(_("recorded at"), default=timezone.now, editable=False)
    details = models.JSONField(_("details"), default=dict, blank=True, encoder=DjangoJSONEncoder)
    version = models.PositiveIntegerField(_("version"))
    ref = models.CharField(max_length=64, null=True, blank=True, editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("status change"), _("status changes")
        constraints = [models.UniqueConstraint(fields=["by", "ref"], name="one_command_a_ref")]
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.from_status or '–'} → {self.to_status}"

    @property
    def sent_later(self) -> bool:
        """Whether the server received the move more than MAX_REPORT_DELAY after it happened.

        The device probably had no connection in between.
        """
        return self.recorded_at - self.at > MAX_REPORT_DELAY


class Order(Tracked):
    """One order of one customer. `orders.states` defines its life cycle. Orders are never deleted.

    `save()` writes only the changed columns, `WHERE version =` the version that was read. It raises VersionConflict if
    someone else saved first, so a form opened ten minutes ago cannot undo a delivery.
    """

    order_number = models.CharField(_("order number"), max_length=9, unique=True, editable=False)
    tracking_token = models.CharField(max_length=16, unique=True, editable=False, default=numbers.new_tracking_token)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="orders", verbose_name=_("customer"))
    status = models.CharField(
        _("status"), max_length=12, choices=OrderStatus, default=OrderStatus.PENDING, editable=False
    )
    priority = models.CharField(_("priority"), max_length=8, choices=Priority, default=Priority.NORMAL)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=1, editable=False)
    scheduled_date = models.DateField(_("delivery date"))
    time_slot = models.CharField(_("time slot"), max_length=12, choices=TimeSlot, default=TimeSlot.ANYTIME)
    eta = models.DateTimeField(_("expected at"), null=True, blank=True, validators=[validate_moment])
    delivery_address = models.CharField(_("delivery address"), max_length=200, blank=True)
    area = models.CharField(_("area"), max_length=20, blank=True, editable=False)
    notes = models.TextField(_("notes"), blank=True, max_length=2000)
    route = models.ForeignKey(
        Route, models.PROTECT, null=True, blank=True, related_name="orders", verbose_name=_("route")
    )
    stop_sequence = models.PositiveSmallIntegerField(
        _("stop"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_STOPS)]
    )
    driver = models.ForeignKey(
        Driver, models.PROTECT, null=True, blank=True, related_name="orders", verbose_name=_("driver")
    )
    amount_due = models.PositiveIntegerField(_("amount due, NT$"), default=0, editable=False)
    amount_collected = models.PositiveIntegerField(
        _("amount collected, NT$"), null=True, blank=True, validators=[MaxValueValidator(MAX_MONEY)]
    )
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    import_ref = models.CharField(max_length=80, null=True, blank=True, unique=True, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("changed at"), default=timezone.now, editable=False)

    objects = OrderQuerySet.as_manager()
    # Moves are recorded in `history`, so the audit log leaves out the columns that they change.
    audit = Audit(
        ("order_number", "tracking_token", "status", "attempt", "version", "import_ref", "created_at", "updated_at"),
        bases=(ItemsThen,),
    )

    # The circumstances of the last save, for receivers of `post_save`. Not a column.
    change: Change = Change()

    class Meta:
        base_manager_name = "objects"
        verbose_name, verbose_name_plural = _("order"), _("orders")
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["scheduled_date", "status"]),
            models.Index(fields=["status", "priority"]),
            models.Index(fields=["driver", "status"]),
            models.Index(fields=["updated_at"]),
        ]

    def __str__(self) -> str:
        return self.order_number

    def save(
        self,
        *args: Any,
        update_fields: Iterable[str] | None = None,
        change: Change | None = None,
        **kwargs: Any,
    ) -> None:
        """Inserts a new order. Of an existing one, saves the changed columns and increments the version.

        The version is also incremented if only the items changed. Writes nothing if nothing changed. An empty delivery
        address becomes the customer's. Raises VersionConflict, or Refusal if the row is gone.
        """
        self.change = change or Change()
        if not self.delivery_address:
            self.delivery_address = self.customer.address
        if self._state.adding or "delivery_address" in self.unsaved() or not self.area:
            self.area = district(self.delivery_address) or self.customer.area
        if self._state.adding:
            self._insert(*args, **kwargs)
            return
        changed = set(self.unsaved())
        if update_fields is not None:
            changed &= {self._meta.get_field(name).attname for name in update_fields}  # type: ignore[union-attr]
        if "customer_id" in changed:
            # The link in the former customer's SMS must not show the new customer's data.
            self.tracking_token = numbers.new_tracking_token()
            changed.add("tracking_token")
        if changed or self.change.items:
            self._update(changed)

    def _insert(self, *args: Any, **kwargs: Any) -> None:
        """Inserts the order with a free order number, and writes its first history row.

        Draws numbers until one is free. The unique column keeps concurrent inserts from sharing a number.
        """
        with transaction.atomic():
            while True:
                self.order_number = numbers.new_order_number()
                try:
                    with transaction.atomic():
                        super().save(*args, **kwargs)
                    break
                except IntegrityError:
                    if not Order.objects.filter(order_number=self.order_number).exists():
                        raise  # another constraint failed
                    self.pk = None
                    self._state.adding = True
            OrderStatusChange.objects.create(
                order=self, to_status=self.status, by=self.change.actor.by, source=self.change.actor.source,
                at=self.change.at, version=self.version,
            )  # fmt: skip

    def _update(self, changed: set[str]) -> None:
        previous = self.version, self.updated_at
        self.version, self.updated_at = self.version + 1, timezone.now()
        try:
            super().save(update_fields=[*changed, "version", "updated_at"])
        except BaseException:
            self.version, self.updated_at = previous
            raise

    def _do_update(self, base_qs: Any, *args: Any, **kwargs: Any) -> bool:
        """Adds the version that was read to the conditions of Django's UPDATE.

        If no row matches, raises VersionConflict, or Refusal if the row is gone.
        """
        updated: bool = super()._do_update(base_qs.filter(version=self._read["version"]), *args, **kwargs)
        if not updated:
            present = Order.objects.filter(pk=self.pk).values_list("version", flat=True).first()
            raise no_such_order() if present is None else VersionConflict(present)
        return updated

    # --- moves: every change of status goes through these methods ---

    @classmethod
    def move_one(
        cls, orders: OrderQuerySet, to: str, *, by: User, ref: str | None = None, **circumstances: Any
    ) -> OrderStatusChange:
        """Moves the only order in `orders`, for a user who may see it, and returns the history row. Raises Refusal.

        A repeated command (same `ref`) gets the row of the first one, even if the user can no longer see the order.
        """
        with transaction.atomic():
            # Commands are frequent, so a single query finds and locks the order.
            order = visibility.visible(by, orders.locked()).first()
            if order is not None:
                return order.move(Command(to, by=by, ref=ref, **circumstances))
        accepted = OrderStatusChange.objects.filter(order__in=orders, by=by, to_status=to)
        done = accepted.filter(ref=ref).first() if ref else None
        if done is None:
            raise no_such_order()
        return done

    def transition_to(self, to: str, **circumstances: Any) -> OrderStatusChange:
        """Locks the row, reads it again and moves the order to `to`, in one short transaction.

        Keywords are the fields of `Command`. Unsaved changes of this object are lost. Raises Refusal (VersionConflict
        if `version` is stale); then nothing is changed.
        """
        with transaction.atomic():
            self.lock()
            return self.move(Command(to, **circumstances))

    def lock(self) -> None:
        """Reads the row again and locks it until the transaction ends."""
        self.refresh_from_db(from_queryset=type(self).objects.locked())

    @measure("move")
    def move(self, command: Command) -> OrderStatusChange:
        """Moves the order like `transition_to`, but the caller holds the lock and has read the row.

        Raises Refusal before it writes. One exception: if a concurrent command uses the same `ref` for another order,
        it raises Refusal after it wrote; the caller must roll back its transaction.
        """
        if (accepted := _find_accepted(self, command)) is not None:
            return accepted
        if command.version is not None and command.version != self.version:
            raise VersionConflict(self.version)
        before = self.status
        roles = sides_towards(command.by, self)
        if not _is_reassignment(self, command, roles):
            states.check_move(before, command.to, roles, command.reason)
            check_correcting(command.by, before, command.to)
        if command.driver is not None and Side.OFFICE not in roles:
            check_office_only({"driver"})
        happened = _check_time(command.at, self)
        # Only a delivery, or the cancellation of one, concerns the items.
        items = list(self.items.order_by("product_id")) if OrderStatus.DELIVERED in (before, command.to) else []
        if command.to == OrderStatus.DELIVERED:
            _set_quantities(items, command.proof.quantities if command.proof else {})
        _set_columns(self, command)
        self.save(change=Change(Actor(command.by, command.source), happened, command.reason))
        row = _record(self, command, before, happened)
        if command.to == OrderStatus.DELIVERED:
            _deliver(self, command, items, happened)
        elif before == OrderStatus.DELIVERED:
            for part in delivery_parts.PARTS.values():
                part.take_back(self, items)
        return row

    def assign(self, driver: Driver | None, **circumstances: Any) -> OrderStatusChange:
        """Assigns or reassigns the order to a driver, or takes it back to the office (None). Raises Refusal."""
        return self.transition_to(
            OrderStatus.ASSIGNED if driver else OrderStatus.CONFIRMED, driver=driver, **circumstances
        )


def _find_accepted(order: Order, command: Command) -> OrderStatusChange | None:
    """The history row of the accepted command that this one repeats, or None.

    Raises Refusal if this `ref` was used for another order or status.
    """
    if command.ref is None or command.by is None:
        return None
    accepted = OrderStatusChange.objects.filter(by=command.by, ref=command.ref).first()
    if accepted is not None and (accepted.order_id, accepted.to_status) != (order.pk, command.to):
        raise ref_reused()
    return accepted


def _record(order: Order, command: Command, before: str, happened: datetime) -> OrderStatusChange:
    """Writes the history row. Raises Refusal if a concurrent command used the same `ref`: the constraint finds it."""
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
    """Whether the office moves an assigned order straight to another driver."""
    return (
        order.status == command.to == OrderStatus.ASSIGNED
        and command.driver is not None
        and command.driver.pk != order.driver_id
        and Side.OFFICE in roles
    )


def _check_time(at: datetime | None, order: Order) -> datetime:
    """Returns when the move happened: `at`, or now if `at` is None or slightly ahead.

    Raises Refusal if `at` is in the future, or before the order was placed, by more than CLOCK_SKEW.
    """
    now = timezone.now()
    if at is None:
        return now
    if at > now + CLOCK_SKEW:
        raise Refusal("invalid_time", _("The time is in the future. Please check the device's clock."), attr="at")
    if at < order.created_at - CLOCK_SKEW:
        raise Refusal(
            "invalid_time", _("The time is before the order was placed. Please check the device's clock."), attr="at"
        )
    return min(at, now)


def _set_quantities(items: delivery_parts.Items, delivered: Mapping[int, int]) -> None:
    """Sets `quantity_delivered` of each item, without saving: `delivered` by product id, or else what was ordered.

    Raises Refusal if a product was not ordered, more was delivered than ordered, or nothing was delivered.
    """
    ordered = {item.product_id: item.quantity for item in items}
    if any(product not in ordered or not 0 <= quantity <= ordered[product] for product, quantity in delivered.items()):
        detail = _("You can deliver only ordered products, and no more than was ordered.")
        raise Refusal("invalid_quantity", detail, attr="quantities")
    if delivered and not any((ordered | dict(delivered)).values()):
        detail = _("Nothing was delivered. Please report “Could not deliver” instead.")
        raise Refusal("invalid_quantity", detail, attr="quantities")
    for item in items:
        item.quantity_delivered = delivered.get(item.product_id, item.quantity)


def _set_columns(order: Order, command: Command) -> None:
    """Sets, without saving, the status and the columns that the move changes with it. Raises Refusal."""
    if command.to == OrderStatus.CONFIRMED and order.status != OrderStatus.PENDING:
        # The order is back with the office, which plans driver, route and time again.
        order.attempt += order.status == OrderStatus.FAILED
        order.driver = order.route = order.stop_sequence = order.eta = None
    if command.to == OrderStatus.ASSIGNED:
        order.driver = command.driver or order.driver or (order.route.driver if order.route else None)
        if order.driver is None or not order.driver.is_active:
            raise Refusal(
                "driver_required", _("An assigned order needs an active driver. Please choose one."), attr="driver"
            )
        if order.route is not None and order.route.driver_id != order.driver.pk:
            order.route = order.stop_sequence = None
    if command.eta is not None:
        order.eta = command.eta
    if command.to == OrderStatus.DELIVERED:
        for part in delivery_parts.PARTS.values():
            part.check(order, command.proof.parts if command.proof else {})
    order.status = command.to


def _deliver(order: Order, command: Command, items: delivery_parts.Items, at: datetime) -> None:
    """Writes the proof and the delivered quantities, sends `order_delivered` and calls `deliver` of each part."""
    proof = command.proof or Proof()
    confirmation = order.confirmations.create(
        attempt=order.attempt, confirmation_type=proof.confirmation_type, cylinder_serials=proof.cylinder_serials,
        confirmed_at=at, by=command.by, latitude=proof.latitude, longitude=proof.longitude,
    )  # fmt: skip
    order_delivered.send(Order, confirmation=confirmation)
    order.items.bulk_update(items, ["quantity_delivered"])
    for part in delivery_parts.PARTS.values():
        part.deliver(order, items, proof.parts, at)
