"""How messages ended, as a chart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from notifications.states import Status
from notifications.statistics import OUTCOMES
from web.charts import BLUE, GREEN, ORANGE, RED, Series

COLOURS = {Status.DELIVERED: GREEN, Status.SENT: BLUE, Status.UNKNOWN: ORANGE, Status.FAILED: RED}


def outcomes(counts: Iterable[Mapping[str, int]]) -> tuple[Series, ...]:
    """From the ground up; each of `counts` is messages by status at one place of the axis."""
    columns = list(counts)
    return tuple(
        Series(
            str(outcome.label),
            tuple(sum(column.get(status, 0) for status in statuses) for column in columns),
            COLOURS[outcome],
        )
        for outcome, statuses in OUTCOMES.items()
    )
