"""How often somebody may ask, as settings say it: `120/min`."""

from __future__ import annotations

import re
from functools import lru_cache

SECONDS = {"s": 1, "min": 60, "h": 3600}
RATE = re.compile(r"([1-9][0-9]{0,6})/(s|min|h)")


@lru_cache
def most_and_seconds(rate: str) -> tuple[int, int]:
    """How often, and in how many seconds. Raises ValueError."""
    found = RATE.fullmatch(rate)
    if found is None:
        raise ValueError(f"“{rate}” is no rate; one is like 120/min (s, min, h).")
    return int(found[1]), SECONDS[found[2]]
