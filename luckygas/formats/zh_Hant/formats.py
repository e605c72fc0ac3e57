"""Dates as offices in Taiwan write them, the same on every page. Money has a comma every three digits."""

from __future__ import annotations

DATE_FORMAT = SHORT_DATE_FORMAT = "Y/n/j"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "Y/n/j H:i"
TIME_FORMAT = "H:i"
MONTH_DAY_FORMAT = "n/j"
THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
