from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from django.test import Client
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from health import api
from luckygas.testing.half_open_proxy import HalfOpenProxy
from luckygas.testing.servers import Postgres, running
from luckygas.testing.site import Site
from orders.tests.factories import make_office, make_order, make_user

TOKEN = "the-monitors-own-token"
MONITOR = {"Authorization": f"Bearer {TOKEN}"}
# Less than Prometheus's default time limit for a scrape, ten seconds.
PATIENCE_SECONDS = 8.0


def parse_metrics(text: str) -> dict[tuple[str, ...], float]:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


@pytest.mark.django_db(transaction=True)
def test_only_staff_and_monitors_read_metrics(client: Client, settings: Settings) -> None:
    settings.MONITORING_TOKEN = TOKEN
    assert client.get("/health/metrics").status_code == 401
    client.force_login(make_user())
    assert client.get("/health/metrics").status_code == 403
    client.force_login(make_office())
    assert client.get("/health/metrics").status_code == 200
    client.logout()
    assert client.get("/health/metrics", headers=MONITOR).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain"),
        ("application/json", "text/plain"),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1", "application/openmetrics-text"),
    ],
)
def test_prometheus_gets_the_format_it_accepts(client: Client, accept: str, content_type: str) -> None:
    client.force_login(make_office())
    answer = client.get("/health/metrics", headers={"Accept": accept})
    assert answer.headers["Content-Type"].startswith(content_type)
    assert "luckygas_ready 1.0" in answer.text


@pytest.mark.django_db(transaction=True)
def test_metrics_have_counters_and_database_gauges(client: Client) -> None:
    make_order()
    client.force_login(make_office())
    client.get("/health/live")
    found = parse_metrics(client.get("/health/metrics").text)
    assert found["luckygas_http_requests_total", "GET", "/health/live", "200"] >= 1
    assert found["luckygas_orders", "pending"] == 1
    assert found["luckygas_part_healthy", "figures"] == 1
    assert 0 < found["luckygas_disk_free_ratio",] < 1
    assert found["luckygas_websocket_connections", "ws", "office"] == 0


def test_newest_backup_is_reported_if_configured(settings: Settings, tmp_path: Path) -> None:
    def times() -> list[float]:
        return [sample.value for family in api.last_backup() for sample in family.samples]

    assert times() == []
    settings.BACKUP_DIR = str(tmp_path)
    assert times() == [0]
    (tmp_path / "latest").symlink_to("2026-11-22T190000Z")
    os.utime(tmp_path / "latest", (5, 7), follow_symlinks=False)
    assert times() == [7]


@pytest.mark.django_db(transaction=True)
def test_other_metrics_are_served_if_the_gauges_fail(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[Metric]:
        raise RuntimeError

    monkeypatch.setattr(api, "GAUGES", [broken])
    client.force_login(make_office())
    found = parse_metrics(client.get("/health/metrics").text)
    assert (found["luckygas_part_healthy", "figures"], found["luckygas_ready",]) == (0, 1)


@pytest.mark.servers
def test_counters_are_served_while_the_database_hangs(tmp_path: Path) -> None:
    with running(Postgres()) as postgres, running(HalfOpenProxy(postgres)) as proxy:
        url = f"postgres://postgres@127.0.0.1:{proxy.port}/postgres"
        extra = {"DATABASE_URL": url, "MONITORING_TOKEN": TOKEN, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        with running(Site("uvicorn", **extra)) as site:
            assert requests.get(f"{site.url}/health/live", timeout=5).ok
            assert scrape(site)["luckygas_part_healthy", "database"] == 1
            proxy.drop_data()
            found = scrape(site)
    assert found["luckygas_http_requests_total", "GET", "/health/live", "200"] == 1
    assert (found["luckygas_ready",], found["luckygas_part_healthy", "database"]) == (0, 0)
    assert not any(name.startswith("luckygas_orders") for name, *_labels in found)


def scrape(site: Site) -> dict[tuple[str, ...], float]:
    return parse_metrics(requests.get(f"{site.url}/health/metrics", headers=MONITOR, timeout=PATIENCE_SECONDS).text)
