"""Channels: what a reader is subscribed to at once, and what it may ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.roles import (
    ALL,
    OWN,
    Reach,
    Role,
    Side,
    customer_id,
    driver_id,
    password_mark,
    reach_of,
    side_of,
    staff_role,
)
from orders.models import Order

NOT_YOURS = _("You may not read this channel.")
SWITCHED_OFF = _("Live updates are turned off. Please reload the data from time to time.")
# The right that each endpoint and channel needs, to all rows; `driver` is for who has the right to own rows.
ENDPOINTS = {"office": "realtime.open_office", "driver": "dispatch.drive"}
OFFICE = {
    "staff": "realtime.open_office", "orders": "orders.view_order", "drivers": "dispatch.view_driver",
    "routes": "dispatch.view_route", "customers": "customers.view_customer", "inventory": "catalogue.view_product",
    "notifications": "notifications.view_notificationhistory",
}  # fmt: skip
# And those with a number: of others than oneself.
OTHERS = {"driver": "dispatch.view_driver", "route": "dispatch.view_route", "order": "orders.view_order"}
NUMBERED = re.compile(r"(user|driver|route|order|customer|track):([1-9]\d{0,17})")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who reads: taken from a token's claims without a query, or from the user. `expires_at` in seconds since 1970.

    `role` is the side, as clients know it, `staff` which of the office (owner, manager, clerk).

    `session` names the sign-in it comes from, `password` the password it was made with; neither lets anybody in.
    """

    user_id: int | None = None
    role: str | None = None
    driver_id: int | None = None
    customer_id: int | None = None
    expires_at: float | None = None
    tracked_order_id: int | None = None
    password: str | None = None
    session: str | None = None
    staff: str | None = None

    @classmethod
    def of(cls, user: User, session: str | None = None) -> Identity:
        mark, staff = password_mark(user), staff_role(user)
        return cls(
            user.pk, side_of(user), driver_id(user), customer_id(user), password=mark, session=session, staff=staff
        )

    @classmethod
    def of_link(cls, order_id: int, customer_id: int) -> Identity:
        """Whoever holds the link to an order of this customer."""
        return cls(role=Side.CUSTOMER, customer_id=customer_id, tracked_order_id=order_id)

    @property
    def people(self) -> dict[str, int]:
        """The driver and the customer that this is, by kind."""
        ids = {"driver": self.driver_id, "customer": self.customer_id}
        return {kind: pk for kind, pk in ids.items() if pk is not None}

    @property
    def roles(self) -> list[Role]:
        """The widest first. An office that does not say more is a clerk, as staff without a role are."""
        held = [Role(self.staff or Role.CLERK)] if self.is_office else []
        held += [Role.DRIVER] if self.driver_id is not None else []
        return [*held, *([Role.CUSTOMER] if self.customer_id is not None else [])]

    def reach(self, right: str) -> Reach:
        return reach_of(self.roles, right)

    @property
    def owner(self) -> str:
        """Whose connections are counted together: the user's, or those of all who hold one order's link."""
        return f"user:{self.user_id}" if self.tracked_order_id is None else f"track:{self.tracked_order_id}"

    @property
    def is_office(self) -> bool:
        return self.role == Side.OFFICE

    @property
    def rights(self) -> str:
        """All that the rights rest on: whose is not the user's present one has rights that have ended."""
        parts = (self.role, self.staff, self.driver_id, self.customer_id)
        return f"{' '.join(str(part or '-') for part in parts)} {self.password}"


def own(identity: Identity, endpoint: str = "ws") -> list[str]:
    """The channels a reader has without asking, by endpoint (`ws`, `driver`, `office`, `track`)."""
    if identity.tracked_order_id is not None:
        return [f"track:{identity.tracked_order_id}"]
    channels = [f"user:{identity.user_id}"]
    if endpoint == "office":
        channels += [name for name, right in OFFICE.items() if identity.reach(right) is ALL]
    if endpoint == "driver":
        channels.append(f"driver:{identity.driver_id}")
    if endpoint == "ws" and identity.customer_id is not None:
        channels.append(f"customer:{identity.customer_id}")
    return [*channels, "system"]


def exists(channel: str) -> bool:
    return channel in OFFICE or channel == "system" or NUMBERED.fullmatch(channel) is not None


def needs_query(identity: Identity, channel: str) -> bool:
    """Whether only the database can say whether this reader may read it."""
    return channel.startswith("order:") and identity.reach(OTHERS["order"]) is OWN


def read_as(identity: Identity, channel: str) -> list[str]:
    """By which channels of events (`frames.with_pairs`) this reader reads a channel that it subscribed to.

    Of an order, who has no right to all reads what names them. So nobody has a right to it that could end.
    """
    if identity.tracked_order_id is not None or needs_query(identity, channel):
        return [f"{kind}:{pk}/{channel}" for kind, pk in identity.people.items()]
    return [channel]


def may_read(identity: Identity, channel: str) -> bool:
    """Whether the reader may subscribe to a channel. Asks the database where `needs_query`; synchronous."""
    if identity.tracked_order_id is not None:
        return channel == f"track:{identity.tracked_order_id}"
    mine = identity.people | {"user": identity.user_id}
    if channel == "system" or channel in {f"{kind}:{pk}" for kind, pk in mine.items()}:
        return True
    kind, _colon, number = channel.partition(":")
    right = OTHERS.get(kind) if number else OFFICE.get(channel)
    if right is None or identity.reach(right) is ALL:
        return right is not None
    return needs_query(identity, channel) and _concerns(identity, int(number))


def _concerns(identity: Identity, order_id: int) -> bool:
    return Order.objects.filter(Q(**identity.people, _connector=Q.OR), pk=order_id).exists()
