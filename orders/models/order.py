"""Orders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from dispatch.models import Driver, Route
from orders import numbers
from orders.models.moves import Moves
from orders.models.queries import OrderQuerySet
from orders.order_refusals import VersionConflict, no_such_order
from orders.states import Status
from web.actors import Actor
from web.audit import Audit, ItemsThen
from web.tracked import Tracked


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
    """The circumstances of one save, for the receivers of `post_save`, as `order.change`."""

    actor: Actor = field(default_factory=Actor)
    at: datetime = field(default_factory=timezone.now)
    reason: str = ""


class Order(Moves, Tracked):
    """One order of one customer. Its life is `orders.states`, its moves `orders.models.moves`; it is never deleted.

    `save()` writes the changed columns only, `WHERE version =` the one read, and raises VersionConflict when someone
    else was faster: a form opened ten minutes ago cannot undo a delivery.
    """

    order_number = models.CharField(_("order number"), max_length=9, unique=True, editable=False)
    tracking_token = models.CharField(max_length=16, unique=True, editable=False, default=numbers.new_tracking_token)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="orders", verbose_name=_("customer"))
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.PENDING, editable=False)
    priority = models.CharField(_("priority"), max_length=8, choices=Priority, default=Priority.NORMAL)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=1, editable=False)
    scheduled_date = models.DateField(_("delivery date"))
    time_slot = models.CharField(_("time slot"), max_length=12, choices=TimeSlot, default=TimeSlot.ANYTIME)
    eta = models.DateTimeField(_("expected at"), null=True, blank=True)
    delivery_address = models.CharField(_("delivery address"), max_length=200, blank=True)
    area = models.CharField(_("area"), max_length=20, blank=True, editable=False)
    notes = models.TextField(_("notes"), blank=True, max_length=2000)
    route = models.ForeignKey(
        Route, models.PROTECT, null=True, blank=True, related_name="orders", verbose_name=_("route")
    )
    stop_sequence = models.PositiveSmallIntegerField(_("stop"), null=True, blank=True)
    driver = models.ForeignKey(
        Driver, models.PROTECT, null=True, blank=True, related_name="orders", verbose_name=_("driver")
    )
    amount_due = models.PositiveIntegerField(_("amount due, NT$"), default=0, editable=False)
    amount_collected = models.PositiveIntegerField(_("amount collected, NT$"), null=True, blank=True)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    import_ref = models.CharField(max_length=80, null=True, blank=True, unique=True, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("changed at"), default=timezone.now, editable=False)

    objects = OrderQuerySet.as_manager()
    # What its moves leave behind stands in `history`.
    audit = Audit(
        ("order_number", "tracking_token", "status", "attempt", "version", "import_ref", "created_at", "updated_at"),
        bases=(ItemsThen,),
    )

    # Set before a save by whoever knows; read by the receivers of post_save. Not columns.
    change: Change = Change()
    actor: Actor = Actor()
    # The new items in words, where this save goes with them; and those they replace.
    items_said: str = ""
    items_before: str = ""

    class Meta:
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
        touch: bool = False,
        change: Change | None = None,
        **kwargs: Any,
    ) -> None:
        """Saves what changed and raises the version. `touch`: also when no column did (its items changed)."""
        self.change = change or Change(self.actor)
        if not self.delivery_address:
            self.delivery_address = self.customer.address
        if self._state.adding or "delivery_address" in self.unsaved() or not self.area:
            self.area = self.area_of_address()
        if self._state.adding:
            self._insert(*args, **kwargs)
            return
        changed = set(self.unsaved())
        if update_fields is not None:
            changed &= {self._meta.get_field(name).attname for name in update_fields}  # type: ignore[union-attr]
        if "customer_id" in changed:
            # The link that the former customer was sent shows this one nothing of the other's.
            self.tracking_token = numbers.new_tracking_token()
            changed.add("tracking_token")
        if changed or touch:
            self._update(changed)

    def area_of_address(self) -> str:
        from customers.addresses import district

        return district(self.delivery_address) or self.customer.area

    def _insert(self, *args: Any, **kwargs: Any) -> None:
        """Draws numbers until one is free: the unique column decides, so two writers at once get two numbers."""
        from orders.models.status_change import OrderStatusChange

        with transaction.atomic():
            while True:
                self.order_number = numbers.new_order_number()
                try:
                    with transaction.atomic():
                        super().save(*args, **kwargs)
                    break
                except IntegrityError:
                    if not Order.objects.filter(order_number=self.order_number).exists():
                        raise  # another constraint: not ours to answer
                    self.pk = None
                    self._state.adding = True
            OrderStatusChange.objects.create(
                order=self, to_status=self.status, by=self.change.actor.by, source=self.change.actor.source,
                at=self.change.at, version=self.version,
            )  # fmt: skip

    def _update(self, changed: set[str]) -> None:
        read = self.version, self.updated_at
        self.version, self.updated_at = self.version + 1, timezone.now()
        try:
            super().save(update_fields=[*changed, "version", "updated_at"])
        except BaseException:
            self.version, self.updated_at = read
            raise

    def _do_update(self, base_qs: Any, *args: Any, **kwargs: Any) -> bool:
        """Django's own UPDATE of one row, with the version read among its conditions."""
        updated: bool = super()._do_update(base_qs.filter(version=self._read["version"]), *args, **kwargs)
        if not updated:
            present = Order.objects.filter(pk=self.pk).values_list("version", flat=True).first()
            raise no_such_order() if present is None else VersionConflict(present)
        return updated
