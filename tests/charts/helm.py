"""Finds Helm, or builds it with Go, and runs it.

Looked for in this order: what was built before, a build, a `helm` that is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.go_programs import GoProgram, MissingError

_KUBERNETES_MINOR = "37"
PROGRAM = GoProgram(
    name="helm",
    module="helm.sh/helm/v3",
    version="3.22.0",
    package="cmd/helm",
    product="helm",
    stamps={
        "helm.sh/helm/v3/internal/version.version": "v3.22.0",
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": "1",
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": _KUBERNETES_MINOR,
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": "1",
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": _KUBERNETES_MINOR,
    },
)
"""With what Helm's own build writes into it: for which Kubernetes a chart is rendered where there is no cluster."""
CHARTS = Path(__file__).resolve().parents[2] / "charts"
CHART, KINDS_CHART = CHARTS / "toolhive-registry", CHARTS / "toolhive-registry-crds"

Json = dict[str, Any]
Done = subprocess.CompletedProcess[str]


def find_or_build(environ: Mapping[str, str] = os.environ) -> Path:
    """The program; a build takes some minutes, once a machine."""
    try:
        return PROGRAM.find_or_build(environ)
    except MissingError as error:
        installed = shutil.which("helm", path=environ.get("PATH"))
        if installed is None:
            raise MissingError(f"{error}, or install helm") from error
        return Path(installed)


class Helm:
    """Helm with files of its own, for one cluster or for none."""

    def __init__(self, program: Path, folder: Path, kubeconfig: Path | None = None) -> None:
        self._program = program
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "HELM_CACHE_HOME": str(folder / "cache"),
            "HELM_CONFIG_HOME": str(folder / "config"),
            "HELM_DATA_HOME": str(folder / "data"),
            "KUBECONFIG": str(kubeconfig or folder / "none"),
        }

    def run(self, *arguments: str, stdin: str = "") -> Done:
        """What the command says, whether it succeeds or not."""
        return subprocess.run(
            [str(self._program), *arguments],
            env=self._environ,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def __call__(self, *arguments: str) -> str:
        """What a command says that must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def template(self, *arguments: str, chart: Path = CHART) -> list[Json]:
        """The objects that a release consists of."""
        text = self(
            "template", "toolhive-registry", str(chart), "-n", "toolhive-system", *arguments
        )
        return [obj for obj in yaml.load_all(text, Loader=yaml.CSafeLoader) if obj]
