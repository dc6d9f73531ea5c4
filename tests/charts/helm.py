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

from tests.control_plane.binaries import MissingError, tool_cache

VERSION = "3.22.0"
MODULE = f"helm.sh/helm/v3/cmd/helm@v{VERSION}"
_STAMPS = {
    "helm.sh/helm/v3/internal/version.version": f"v{VERSION}",
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": "1",
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": "37",
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": "1",
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": "37",
}
"""What Helm's own build writes into it: for which Kubernetes a chart is rendered where there is no cluster."""
CHARTS = Path(__file__).resolve().parents[2] / "charts"
CHART, KINDS_CHART = CHARTS / "toolhive-registry", CHARTS / "toolhive-registry-crds"

Json = dict[str, Any]
Done = subprocess.CompletedProcess[str]


def find_or_build(environ: Mapping[str, str] = os.environ) -> Path:
    """The program; a build takes some minutes, once a machine."""
    built = _built(environ)
    if not os.access(built, os.X_OK):
        try:
            _build(built, environ)
        except MissingError:
            installed = shutil.which("helm", path=environ.get("PATH"))
            if installed is None:
                raise
            return Path(installed)
    return built


def _built(environ: Mapping[str, str]) -> Path:
    return tool_cache(environ) / f"helm-{VERSION}" / "helm"


def _build(place: Path, environ: Mapping[str, str]) -> None:
    """The version is part of the module's name, so its sums are those of the public database."""
    go = shutil.which("go", path=environ.get("PATH"))
    if go is None:
        raise MissingError("no Helm: install Go and run `make tools`, or install helm")
    fresh = place.parent / f".{os.getpid()}"
    settings = {"CGO_ENABLED": "0", "GOBIN": str(fresh), "GOFLAGS": "-buildvcs=false"}
    stamps = " ".join(f"-X {name}={value}" for name, value in _STAMPS.items())
    command = [go, "install", "-trimpath", "-ldflags", f"-s -w {stamps}", MODULE]
    try:
        done = subprocess.run(
            command, env={**environ, **settings}, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()[-1:] or ["go install failed"]
            raise MissingError(f"Helm cannot be built: {said[0]}")
        (fresh / "helm").rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


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
