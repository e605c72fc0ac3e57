"""What Prometheus learns of requests."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from web.metrics import kept

REQUESTS = kept(Counter("luckygas_http_requests", "Requests answered.", ["method", "route", "status"]))
SECONDS = Histogram(
    "luckygas_http_request_seconds",
    "From the request to the answer.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
