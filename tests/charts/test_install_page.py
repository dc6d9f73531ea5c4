"""The page about installing: its commands work as they stand, in their order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.charts.releases import Releases

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "install.md"

pytestmark = [pytest.mark.e2e, pytest.mark.requirement("OPS-04")]


def commands() -> list[list[str]]:
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]


def test_every_command_of_the_page_works(
    releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    kubectl = releases.cluster.plane.kubectl
    programs = {"helm": releases.helm.run, "kubectl": kubectl}
    try:
        for program, *arguments in commands():
            done = programs[program](*arguments)
            assert done.returncode == 0, f"{program} {shlex.join(arguments)}: {done.stderr}"
    finally:
        releases.uninstall()
        kubectl("delete", "-k", "examples/quickstart", "--ignore-not-found")
