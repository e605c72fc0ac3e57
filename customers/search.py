"""Finding customers by what was typed of their address or telephone number."""

from __future__ import annotations

from django.db.models import Q

from customers import addresses, phones

FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")  # noqa: RUF001  (so many addresses are written)
NONE = Q(pk__in=())


def written(text: str, *columns: str) -> Q:
    """Whether one of these columns has the text, written in one of its usual ways."""
    ways = {width for way in addresses.usual_ways(text) for width in (way, way.translate(FULL_WIDTH))} | {text}
    return Q(*((f"{column}__icontains", way) for column in columns for way in sorted(ways)), _connector=Q.OR)


def telephones(text: str, lookup: str, *columns: str) -> Q:
    """Whether one of these columns holds a telephone number that was typed, whole or in part; no row where none was."""
    parts = phones.searched(text)
    return (
        Q(*((f"{column}__{lookup}", part) for column in columns for part in parts), _connector=Q.OR) if parts else NONE
    )
