"""The script that tells Argo CD of a registry's health says what kstatus says; run by the Lua that Argo CD runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.lua import literal, run
from tests.docs.reading import ROOT, File, steps_of
from tests.go_programs import MissingError
from tests.poison.kstatus import Reading, reading

HEALTH = {
    Reading.CURRENT: "Healthy",
    Reading.IN_PROGRESS: "Progressing",
    Reading.FAILED: "Degraded",
}
KEY = "resource.customizations.health.toolhive.stacklok.io_MCPRegistry"


def script() -> str:
    """As the page has it."""
    steps = steps_of((ROOT / "docs/how-to/gitops.md").read_text())
    files = {step.name: step.text for step in steps if isinstance(step, File)}
    return str(yaml.safe_load(files["argocd-cm.yaml"])["data"][KEY])


def registry(observed: int, **conditions: str) -> dict[str, Any]:
    told = [
        {"type": kind, "status": status, "message": f"{kind} says"}
        for kind, status in conditions.items()
    ]
    status = {"observedGeneration": observed, "conditions": told}
    return {"metadata": {"name": "corp", "generation": 2}, "status": status}


def health_of(objects: list[dict[str, Any]], folder: Path) -> list[str]:
    """Health and message of each one, with a tab between them."""
    calls = [
        f"obj = {literal(obj)}; said = check(); print(said.status, said.message)" for obj in objects
    ]
    try:
        return run("\n".join(["function check()", script(), "end", *calls]), folder)
    except MissingError as error:
        pytest.skip(str(error))


@pytest.mark.flows
def test_argo_cd_is_told_what_kstatus_tells_others(tmp_path: Path) -> None:
    objects = [
        registry(2, Ready="True"),
        registry(2, SourceAvailable="False", Ready="False", Reconciling="True"),
        registry(2, Ready="True", Reconciling="True"),
        registry(2, Ready="False"),
        registry(2, Stalled="True", Ready="False"),
        registry(1, Stalled="True", Ready="False"),
        registry(1, Ready="True"),
    ]
    told = [line.split("\t")[0] for line in health_of(objects, tmp_path)]
    assert told == [HEALTH[reading(obj)] for obj in objects]


@pytest.mark.flows
def test_a_registry_that_nobody_has_looked_at_is_not_healthy(tmp_path: Path) -> None:
    fresh = {"metadata": {"name": "corp", "generation": 1}}
    (told,) = health_of([fresh], tmp_path)
    assert told == "Progressing\tnobody has looked at it yet"


@pytest.mark.flows
def test_argo_cd_shows_the_message_of_the_condition_that_decides(tmp_path: Path) -> None:
    (told,) = health_of([registry(2, Stalled="True", Ready="False")], tmp_path)
    assert told == "Degraded\tStalled says"
