"""A real Prometheus scrapes the product in a cluster, through the monitors of the chart."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.operator.conftest import SYSTEM
from tests.apps.operator.test_whole import READY, content, names, registry
from tests.charts.helm import Helm
from tests.control_plane.cluster import Cluster, Place
from tests.metrics.exported import exported
from tests.metrics.prometheus import Prometheus, prometheus

pytestmark = pytest.mark.e2e


@pytest.fixture
def scraping(operated: Cluster, helm: Helm, tmp_path: Path) -> Iterator[Prometheus]:
    """Prometheus with what the chart renders for it."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian, Ubuntu: apt-get install prometheus)")
    enabled = ("podMonitor", "rules")
    flags = [word for each in enabled for word in ("--set", f"metrics.{each}.enabled=true")]
    rendered = helm.template("--namespace", "toolhive-system", *flags)
    monitors = [each for each in rendered if each["kind"] == "PodMonitor"]
    (rules,) = [each["spec"] for each in rendered if each["kind"] == "PrometheusRule"]
    with prometheus(program, tmp_path, operated.plane, monitors, rules) as running:
        yield running


@pytest.mark.requirement("OPS-03")
def test_prometheus_reads_operator_and_pods_through_the_monitors_of_the_chart(
    place: Place, scraping: Prometheus
) -> None:
    place.apply(content("corp-data", "osv", "fetch"), registry("corp"))
    place.wait(READY, "mcpreg/corp")
    scraping.discover()
    corp = f'namespace="{place.namespace}",registry="corp"'
    assert scraping.until(f"thv_registry_servers{{{corp}}} == 2")
    assert scraping.until(f"thv_registry_ready{{{corp}}} == 1")
    assert scraping.until(f"thv_registry_api_ready_replicas{{{corp}}} == 1")
    assert scraping.until(f'thv_sync_total{{{corp},outcome="changed"}} == 1')
    assert scraping.until("sum(thv_operator_leader) == 1")
    for _ in range(3):
        names(place, "corp-api")
    reads = f'{{namespace="{place.namespace}",route="/api/v1/servers",code="200"}}'
    ((labels, _),) = scraping.until(f"thv_http_requests_total{reads} >= 3")
    assert labels["pod"].startswith("corp-api-")
    place.apply(content("corp-data", "osv"))
    assert scraping.until(f'thv_update_visible_seconds_count{{namespace="{place.namespace}"}} == 1')
    ours = f'up{{namespace=~"{place.namespace}|{SYSTEM}"}}'  # pods of earlier tests may be ending
    assert {up for _, up in scraping.values(ours)} == {1.0}
    told = {name.removesuffix("_total") for name in exported()}
    assert told == {name for name in scraping.ask("metadata") if name in told}
    series = scraping.values(f"count({{{corp}}})")
    assert series[0][1] <= 20
    _rules_are_sound(scraping)
    place.kubectl("delete", "mcpreg", "corp")
    assert scraping.until(f"absent(thv_registry_servers{{{corp}}})")


def _rules_are_sound(scraping: Prometheus) -> None:
    """Each was evaluated on what there is, without an error."""
    deadline = time.monotonic() + 15
    while True:
        rules = [rule for group in scraping.ask("rules")["groups"] for rule in group["rules"]]
        if all(rule["health"] == "ok" for rule in rules):
            break
        assert time.monotonic() < deadline, rules
        time.sleep(0.2)
    firing = {rule["name"] for rule in rules if rule["state"] == "firing"}
    assert not firing
