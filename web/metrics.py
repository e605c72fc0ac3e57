"""What Prometheus learns of cache and database, which all apps share."""

from __future__ import annotations

from prometheus_client import Counter, Summary

HITS = Counter("luckygas_cache_hits", "Answers taken from a cache.", ["cache"])
MISSES = Counter("luckygas_cache_misses", "Answers that were not in the cache.", ["cache"])
SQL = Summary("luckygas_sql_query_seconds", "What the database took, by its alias.", ["alias"])
