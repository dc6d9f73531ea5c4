"""The pages about installing: their commands work as they stand, in their order."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.charts.helm import Done
from tests.charts.releases import SYSTEM, Releases

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "how-to"

pytestmark = [pytest.mark.e2e, pytest.mark.requirement("OPS-04")]


def commands(page: str) -> list[list[str]]:
    text = (PAGES / page).read_text()
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]


def thv(releases: Releases, *arguments: str) -> Done:
    """The program of this checkout, as somebody whose kubeconfig names the cluster."""
    environ = {**os.environ, "KUBECONFIG": str(releases.cluster.plane.kubeconfig)}
    command = [sys.executable, "-c", "from thv.main import main; main()", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def openssl(*arguments: str) -> Done:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("page", ["install.md", "https.md", "air-gap.md"])
def test_every_command_of_the_page_works(
    releases: Releases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str
) -> None:
    monkeypatch.chdir(ROOT)
    kubectl = releases.cluster.plane.kubectl
    programs: dict[str, Callable[..., Done]] = {
        "helm": releases.helm.run,
        "kubectl": kubectl,
        "openssl": openssl,
        "thv": partial(thv, releases),
    }
    try:
        for program, *words in commands(page):
            arguments = [word.replace("/tmp/air-gap", str(tmp_path)) for word in words]
            done = programs[program](*arguments)
            assert done.returncode == 0, f"{program} {shlex.join(arguments)}: {done.stderr}"
    finally:
        releases.uninstall()
        kubectl("delete", "mcpreg", "--all")
        kubectl("delete", "namespace", SYSTEM, "--ignore-not-found")
