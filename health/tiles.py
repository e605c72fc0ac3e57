"""The figures of this moment, as the tiles of the dashboard say them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from accounts.roles import Side
from health.plots import STATUSES
from health.probes import Answer

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Tile:
    label: str
    value: str
    more: str = ""


def tiles(answers: Mapping[str, Answer], orders: Mapping[str, int]) -> Iterator[Tile]:
    """Dashes where a part did not answer."""
    sockets, messages = answers["websocket"], answers["notifications"]
    yield Tile(_("Live connections"), figure(sockets.get("connections")), _roles(sockets.get("by_role", {})))
    yield Tile(_("Events a second"), figure(sockets.get("events_per_second")), _("in the last one to two minutes"))
    slow = _("half of them; 99 of 100: %s") % milliseconds(sockets.get("hub_lag_p99_ms"))
    yield Tile(_("From change to screen"), milliseconds(sockets.get("hub_lag_ms")), slow)
    yield Tile(_("Open orders"), figure(sum(orders.values())), _statuses(orders))
    failed = _("failed: %s") % figure(messages.get("notifications_failed_today"))
    yield Tile(_("SMS sent today"), figure(messages.get("notifications_sent_today")), failed)
    unknown = _("of unknown fate: %s") % figure(messages.get("unknown"))
    yield Tile(_("SMS waiting"), figure(messages.get("pending")), unknown)
    yield Tile(_("Points left"), figure(messages.get("balance")), _provider(messages))


def figure(value: Any) -> str:
    return NOTHING if value is None else f"{float(value):,.7g}"


def milliseconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.{'3g' if value < 100 else '0f'}} ms"


def _roles(counts: Mapping[str, int]) -> str:
    labels = dict(Side.choices)
    return _listed((str(labels.get(role, role)), count) for role, count in sorted(counts.items()))


def _statuses(counts: Mapping[str, int]) -> str:
    return _listed((str(status.label), counts[status]) for status in STATUSES if counts.get(status))


def _listed(counts: Any) -> str:
    return " · ".join(f"{label} {count}" for label, count in counts)


def _provider(messages: Answer) -> str:
    return str(messages.get("sms_provider", {}).get("name", ""))
