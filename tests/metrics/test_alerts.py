"""Alerts: each fires where it should and nowhere else, leads to a page, and asks for figures that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.metrics.exported import exported

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "charts" / "toolhive-registry" / "files"
RUNBOOKS = ROOT / "docs" / "runbooks"
CASES = Path(__file__).parent / "alerts.test.yaml"

_NAME = re.compile(r"\b(?:thv|process)_[a-z_]+\b")
_DERIVED = re.compile(r"_(?:bucket|sum|count)$")


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.requirement("OPS-03")
def test_promtool_sees_each_alert_fire_where_it_should_and_nowhere_else(promtool: str) -> None:
    for command in (("check", "rules", FILES / "alerts.yaml"), ("test", "rules", CASES)):
        done = subprocess.run([promtool, *command], text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    cases = yaml.safe_load(CASES.read_text())["tests"]
    tried = [
        (case["alertname"], bool(case["exp_alerts"]))
        for test in cases
        for case in test["alert_rule_test"]
    ]
    names = {alert["alert"] for alert in alerts()}
    assert names == {name for name, fires in tried if fires}
    assert names == {name for name, fires in tried if not fires}


def test_each_alert_leads_to_a_page_that_says_what_to_do() -> None:
    pages = {alert["annotations"]["runbook_url"]: alert["alert"] for alert in alerts()}
    there = {f"docs/runbooks/{page.name}" for page in RUNBOOKS.glob("[a-z]*.md")}
    assert pages.keys() == there
    for path, alert in pages.items():
        lines = (ROOT / path).read_text().splitlines()
        assert lines[0] == f"# {alert}"
        titles = [line for line in lines if line.startswith("## ")]
        assert [title[3:] for title in titles] == [
            *("What it says", "What users notice", "Where to look", "What to do"),
        ]
        assert f"({Path(path).name})" in (RUNBOOKS / "README.md").read_text()


def test_links_between_runbooks_lead_somewhere() -> None:
    for page in RUNBOOKS.glob("*.md"):
        for target in re.findall(r"\]\(([a-z./-]+\.md)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def panels() -> list[dict[str, Any]]:
    dashboard = msgspec.json.decode((FILES / "dashboard.json").read_bytes())
    found: list[dict[str, Any]] = dashboard["panels"]
    return found


def asked_for() -> dict[str, str]:
    """Every expression, by where it stands."""
    found = {f"alert {alert['alert']}": alert["expr"] for alert in alerts()}
    for panel in panels():
        for target in panel.get("targets", ()):
            found[f"panel {panel['title']} {target['refId']}"] = target["expr"]
    for page in RUNBOOKS.glob("*.md"):
        found[page.name] = page.read_text()
    return found


@pytest.mark.requirement("OPS-03")
def test_alerts_and_dashboard_ask_for_nothing_that_is_not_exported() -> None:
    there = exported()
    for where, text in asked_for().items():
        for name in _NAME.findall(text):
            plain = _DERIVED.sub("", name)
            assert name in there or there.get(plain) == "histogram", f"{where}: {name}"


def test_promtool_can_read_every_expression_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": re.sub(r"\$__rate_interval", "5m", expression)}
        for number, (where, expression) in enumerate(asked_for().items())
        if where.startswith("panel")
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", str(file)], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not taken & cells, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
