"""Channels: which ones an identity is subscribed to when it connects, and which it may subscribe to."""

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

NOT_YOURS = _("There is no such channel, or you may not read it.")
SWITCHED_OFF = _("Live updates are turned off. Please reload the data from time to time.")
# The right that each endpoint requires, and each office channel. Office channels require the right for all rows.
ENDPOINTS = {"office": "realtime.open_office", "driver": "dispatch.drive"}
OFFICE_CHANNELS = {
    "staff": "realtime.open_office", "orders": "orders.view_order", "drivers": "dispatch.view_driver",
    "routes": "dispatch.view_route", "customers": "customers.view_customer", "inventory": "catalogue.view_product",
    "notifications": "notifications.view_notificationhistory",
}  # fmt: skip
# The right that channels with a number require, except for the reader's own.
RIGHTS_FOR_OTHERS = {"driver": "dispatch.view_driver", "route": "dispatch.view_route", "order": "orders.view_order"}
NUMBERED_CHANNEL = re.compile(r"(user|driver|route|order|customer|track):([1-9]\d{0,17})")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who opened a socket, read from a token's claims (without a query), from the user, or from a tracking link.

    `expires_at` is in seconds since 1970. `role` is the `Side` that clients receive, `staff` the office role (owner,
    manager, clerk). `session` and `password` are fingerprints of the session and the password, not secrets.
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
        """The identity of anyone who holds the link to this customer's order."""
        return cls(role=Side.CUSTOMER, customer_id=customer_id, tracked_order_id=order_id)

    @property
    def profiles(self) -> dict[str, int]:
        """The ids of the user's driver and customer, or of the link's customer, by kind (`driver`, `customer`)."""
        ids = {"driver": self.driver_id, "customer": self.customer_id}
        return {kind: pk for kind, pk in ids.items() if pk is not None}

    @property
    def roles(self) -> list[Role]:
        """The roles, widest first. Office staff without a role count as clerks."""
        roles = [Role(self.staff or Role.CLERK)] if self.is_office else []
        roles += [Role.DRIVER] if self.driver_id is not None else []
        return [*roles, *([Role.CUSTOMER] if self.customer_id is not None else [])]

    def reach(self, right: str) -> Reach:
        return reach_of(self.roles, right)

    @property
    def owner(self) -> str:
        """The key by which the connection limit counts: the user, or the order of the tracking link."""
        return f"user:{self.user_id}" if self.tracked_order_id is None else f"track:{self.tracked_order_id}"

    @property
    def is_office(self) -> bool:
        return self.role == Side.OFFICE

    @property
    def rights(self) -> str:
        """A fingerprint of what permissions depend on. If the user's current one differs, these rights are revoked."""
        parts = (self.role, self.staff, self.driver_id, self.customer_id)
        return f"{' '.join(str(part or '-') for part in parts)} {self.password}"


def own_channels(identity: Identity, endpoint: str = "ws") -> list[str]:
    """The channels to which a socket is subscribed when it opens. `endpoint`: `ws`, `driver`, `office` or `track`."""
    if identity.tracked_order_id is not None:
        return [f"track:{identity.tracked_order_id}"]
    channels = [f"user:{identity.user_id}"]
    if endpoint == "office":
        channels += [name for name, right in OFFICE_CHANNELS.items() if identity.reach(right) is ALL]
    if endpoint == "driver":
        channels.append(f"driver:{identity.driver_id}")
    if endpoint == "ws" and identity.customer_id is not None:
        channels.append(f"customer:{identity.customer_id}")
    return [*channels, "system"]


def exists(channel: str) -> bool:
    return channel in OFFICE_CHANNELS or channel == "system" or NUMBERED_CHANNEL.fullmatch(channel) is not None


def needs_query(identity: Identity, channel: str) -> bool:
    """Whether `may_read` needs a query for this channel."""
    return channel.startswith("order:") and identity.reach(RIGHTS_FOR_OTHERS["order"]) is OWN


def event_channels(identity: Identity, channel: str) -> list[str]:
    """The channels of events (see `frames.add_pairs`) that a subscription to `channel` receives.

    Of an order, users without the right to all orders receive only events that name them as driver or customer, and
    link holders only those that name the link's customer. So a subscription need not end when the order gets another
    driver or customer.
    """
    if identity.tracked_order_id is not None or needs_query(identity, channel):
        return [f"{kind}:{pk}/{channel}" for kind, pk in identity.profiles.items()]
    return [channel]


def may_read(identity: Identity, channel: str) -> bool:
    """Whether the identity may subscribe to a channel. Runs a query only if `needs_query` returns true."""
    if identity.tracked_order_id is not None:
        return channel == f"track:{identity.tracked_order_id}"
    mine = identity.profiles | {"user": identity.user_id}
    if channel == "system" or channel in {f"{kind}:{pk}" for kind, pk in mine.items()}:
        return True
    kind, _colon, number = channel.partition(":")
    right = RIGHTS_FOR_OTHERS.get(kind) if number else OFFICE_CHANNELS.get(channel)
    if right is None or identity.reach(right) is ALL:
        return right is not None
    return needs_query(identity, channel) and _concerns(identity, int(number))


def _concerns(identity: Identity, order_id: int) -> bool:
    return Order.objects.filter(Q(**identity.profiles, _connector=Q.OR), pk=order_id).exists()
