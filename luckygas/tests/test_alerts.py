"""The alert rules use only metrics that a running site has."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import requests
import yaml
from asgiref.sync import sync_to_async
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import AggregateExpr, Expr, VectorSelector

from luckygas.testing.servers import running
from luckygas.testing.site import ROOT, Site
from luckygas.testing.waiting import PATIENCE_SECONDS, wait_for
from luckygas.tests import docs
from notifications.models import GatewayState
from orders.tests.factories import make_office, make_order
from realtime.tests.client import open_client, token_for

pytestmark = pytest.mark.servers
TOKEN = "the-monitors-own-token"
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]  # fmt: skip
# Prometheus itself adds this series, and these labels to every series.
OF_PROMETHEUS = {"up": {"job", "instance"}}
REQUESTS = 20

Series = dict[str, list[dict[str, str]]]


@pytest.fixture
def workers(transactional_db: None, tmp_path: Path) -> Iterator[Site]:
    """A site with two workers and shared metrics."""
    site = Site(
        "uvicorn", WEB_CONCURRENCY="2", PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "metrics"), MONITORING_TOKEN=TOKEN,
        LOG_FORMAT="json", UVICORN_LOG_CONFIG=str(ROOT / "deploy/logging.json"),
        BACKUP_DIR=str(tmp_path),
    )  # fmt: skip
    with running(site):
        yield site
        # All lines are JSON, also those of uvicorn's supervisor, which does not load the settings.
        events = [json.loads(line)["event"] for line in site.log.read_text().splitlines()]
    assert any(event.startswith("Started parent process") for event in events)


def scrape(site: Site) -> dict[str, list[tuple[dict[str, str], float]]]:
    answer = requests.get(
        f"{site.url}/health/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE_SECONDS
    )
    assert answer.headers["Content-Type"].startswith("text/plain")
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


async def make_traffic(site: Site) -> None:
    """Makes requests after which every series exists."""
    office, order = await sync_to_async(make_office)(), await sync_to_async(make_order)()
    token = await sync_to_async(token_for)(office)
    await GatewayState.objects.acreate(gateway="memory", balance=500, last_receipt_at=timezone.now())
    for _ in range(REQUESTS):
        await asyncio.to_thread(requests.get, f"{site.url}/health/live", timeout=PATIENCE_SECONDS)
    where = f"{site.ws}/office?token={token}"
    async with open_client(where) as client:
        answer = await asyncio.to_thread(
            requests.patch, f"{site.url}/api/v1/orders/{order.pk}/status/", json={"status": "confirmed"},
            headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        assert answer.headers["Sms-Outcome"] == "order_confirmed=sent"
        event = (await client.orders(1))[0]
        assert (await client.answer("error", type="nonsense"))["code"] == "unknown_type"
    for since in (event["id"] - 1, event["id"] + 1000):
        async with open_client(f"{where}&since={since}") as client:
            assert client.welcome["recovered"] is (since < event["id"])


def selectors(expr: Expr) -> list[VectorSelector]:
    found: list[VectorSelector] = []
    promql_parser.walk(expr, pre_visit=lambda one: found.append(one) if isinstance(one, VectorSelector) else None)
    return found


def aggregations(expr: Expr) -> list[tuple[list[str], list[VectorSelector]]]:
    """Returns for each aggregation the labels in its `by (…)` and the selectors inside it."""
    found: list[AggregateExpr] = []
    promql_parser.walk(expr, pre_visit=lambda one: found.append(one) if isinstance(one, AggregateExpr) else None)
    return [(one.modifier.labels, selectors(one.expr)) for one in found if one.modifier]


def missing_series(rule: dict[str, Any], existing: dict[str, set[str]]) -> set[str]:
    """Returns the series and labels that a rule names and the site does not have.

    Adds each `$labels.…` in the annotations that no `by (…)` has.
    """
    expr = promql_parser.parse(rule["expr"])
    named = {(str(one.name), match.name) for one in selectors(expr) for match in one.matchers.matchers}
    named |= {(str(one.name), label) for labels, inside in aggregations(expr) for one in inside for label in labels}
    wrong = {str(one.name) for one in selectors(expr) if one.name not in existing}
    wrong |= {f"{name}{{{label}}}" for name, label in named if label not in existing.get(name, {label})}
    known = {label for labels, _inside in aggregations(expr) for label in labels}
    return wrong | set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) - known


@pytest.mark.long
async def test_alert_rules_use_existing_metrics(workers: Site) -> None:
    await make_traffic(workers)
    await asyncio.to_thread(wait_for, lambda: {"true", "false"} <= counted_outcomes(scrape(workers)))
    samples = await asyncio.to_thread(scrape, workers)
    existing = {name: set().union(*(labels for labels, _value in found)) for name, found in samples.items()}
    assert {rule["alert"]: wrong for rule in RULES if (wrong := missing_series(rule, existing | OF_PROMETHEUS))} == {}
    # Either worker returns the sum of both workers' counts.
    live = [value for labels, value in samples["luckygas_http_requests_total"] if labels["route"] == "/health/live"]
    assert live == [REQUESTS]
    assert samples["luckygas_sms_send_seconds_count"] == [
        ({"gateway": "memory", "kind": "order_confirmed", "outcome": "sent"}, 1)
    ]
    ((_none, lags),) = samples["luckygas_hub_lag_seconds_count"]
    assert lags > 0
    ours = {re.sub("_(bucket|sum|count)$", "", name) for name in existing if name.startswith("luckygas_")}
    assert {name for name in ours if f"`{name}`" not in docs.text("operations")} == set()


def counted_outcomes(samples: dict[str, list[tuple[dict[str, str], float]]]) -> set[str]:
    """Returns the values of the label `recovered` whose count is not 0. Hubs add their counts once a second."""
    return {labels["recovered"] for labels, value in samples["luckygas_websocket_reconnects_total"] if value}


def test_rule_with_unknown_metric_is_found() -> None:
    rule = {"expr": "sum by (le) (rate(a_bucket{x='1'}[5m])) > b", "annotations": {"summary": "{{ $labels.part }}"}}
    assert missing_series(rule, {"a_bucket": {"le"}}) == {"a_bucket{x}", "b", "part"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_every_alert_has_a_severity_and_texts(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert len(rule["annotations"]["summary"]) > 15
    assert len(rule["annotations"]["description"]) > 50
