"""Finds the programs of a Kubernetes control plane, or builds them with Go.

Looked for in this order: `KUBEBUILDER_ASSETS`, what was built before, a build, the archive that the Kubernetes project
publishes for tests (`setup-envtest`), unpacked in the tool cache.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.go_programs import MissingError, go_command, locked, tool_cache

SOURCE = Path(__file__).parent
MANAGER = "kube-controller-manager"
"""Published archives have none; without it nothing runs Deployments or collects garbage."""
NAMES = ("kube-apiserver", MANAGER, "etcd", "kubectl")
"""What the one binary is started as."""
BINARY = "control-plane"


class Binaries(NamedTuple):
    """A folder that holds the programs under their own names."""

    folder: Path

    @property
    def has_manager(self) -> bool:
        return (self.folder / MANAGER).exists()

    def path(self, name: str) -> str:
        return str(self.folder / name)


def version(source: Path = SOURCE) -> str:
    """The version of Kubernetes that the Go module pins: 1.36.3."""
    found = re.search(r"k8s\.io/kubernetes v(\S+)", (source / "go.mod").read_text())
    assert found is not None
    return found[1]


def built(environ: Mapping[str, str] = os.environ, source: Path = SOURCE) -> Path:
    """The folder that a build writes to."""
    return tool_cache(environ) / f"control-plane-{version(source)}"


def find(environ: Mapping[str, str] = os.environ) -> Binaries | None:
    """The programs that lie here ready to start."""
    return next((Binaries(folder) for folder in _places(environ) if _is_complete(folder)), None)


def find_or_build(environ: Mapping[str, str] = os.environ) -> Binaries:
    """The programs, built if they have to be: that takes minutes, once a machine."""
    found = find(environ)
    if found is not None and (found.has_manager or found.folder == _named(environ)):
        return found
    try:
        return build(environ)
    except MissingError:
        if found is None:
            raise
        return found


def build(environ: Mapping[str, str] = os.environ, source: Path = SOURCE) -> Binaries:
    """Compiles the Go module into the tool cache, where every later run finds it."""
    go = go_command(environ)
    if go is None:
        raise MissingError(
            "no Kubernetes control plane: install Go and run `make tools`, or let KUBEBUILDER_ASSETS"
            f" name a folder with {', '.join(NAMES)}"
        )
    folder = built(environ, source)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock"):
        if not _is_complete(folder):
            _compile(go, folder, environ, source)
    return Binaries(folder)


def _places(environ: Mapping[str, str]) -> Iterator[Path]:
    """Folders that may hold the programs, the best first."""
    named = _named(environ)
    if named is not None:
        yield named
    yield built(environ)
    yield from sorted(tool_cache(environ).glob("k8s/*-linux-*"), reverse=True)


def _named(environ: Mapping[str, str]) -> Path | None:
    """Whoever names a folder gets exactly that."""
    folder = environ.get("KUBEBUILDER_ASSETS")
    return Path(folder) if folder else None


def _is_complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in NAMES if name != MANAGER)


def _compile(go: str, folder: Path, environ: Mapping[str, str], source: Path) -> None:
    kubernetes = version(source)
    major, minor, _ = kubernetes.split(".")
    stamp = "-X k8s.io/component-base/version.git"
    stamps = f"{stamp}Version=v{kubernetes} {stamp}Major={major} {stamp}Minor={minor}"
    fresh = folder / f".{BINARY}"
    command = [go, "build", "-trimpath", "-ldflags", f"-s -w {stamps}", "-o", str(fresh), "."]
    settings = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    done = subprocess.run(
        command,
        cwd=source,
        env={**environ, **settings},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or ["go build failed"]
        raise MissingError(f"the Kubernetes control plane cannot be built: {said[0]}")
    fresh.rename(folder / BINARY)
    for name in NAMES:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(BINARY)
