"""What belongs to a delivery besides the move itself: each app registers its part.

The API, sockets and the schema read the fields of all parts; the move checks and writes them in its transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rest_framework.serializers import Field

    from orders.models import Order

    Fields = Mapping[str, Field[Any, Any, Any, Any]]
# What was said of the delivery: values of the parts' fields, by name.
Said = Mapping[str, Any]


def no_fields() -> Fields:
    return {}


def nothing(*args: object) -> None:
    """A part that has nothing to do at this step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPart:
    """One part, by a stable name.

    `fields` makes the fields of `confirm-delivery` and of the socket's `delivery.confirmed`. `check` raises Refusal; it
    may set columns of the order and writes nothing. `deliver` writes after the order is saved; `take_back` writes when
    a delivery turns out to have been none.
    """

    name: str
    fields: Callable[[], Fields] = no_fields
    check: Callable[[Order, Said], None] = nothing
    deliver: Callable[[Order, Said, datetime], None] = nothing
    take_back: Callable[[Order], None] = nothing


_parts: dict[str, DeliveryPart] = {}


def register(part: DeliveryPart) -> None:
    """Call it in `AppConfig.ready()`; parts work in the order of their registration."""
    _parts[part.name] = part


def registered() -> Iterator[DeliveryPart]:
    return iter(_parts.values())


def fields() -> Fields:
    """The fields of all parts, made anew."""
    return {name: field for part in registered() for name, field in part.fields().items()}
