"""How often somebody may ask, as settings say it: `120/min`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

SECONDS = {"s": 1, "min": 60, "h": 3600}
RATE = re.compile(r"([1-9][0-9]{0,6})/(s|min|h)")


@dataclass(frozen=True, slots=True)
class Rate:
    most: int
    seconds: int

    @classmethod
    @lru_cache
    def of(cls, text: str) -> Rate:
        """Of `120/min`. Raises ValueError."""
        found = RATE.fullmatch(text)
        if found is None:
            raise ValueError(f"“{text}” is no rate; one is like 120/min (s, min, h).")
        return cls(int(found[1]), SECONDS[found[2]])
