"""The release before this checkout, as it was shipped: chart, manifests, kinds, the program, and what it needs.

A release is kept by `python -m tests.charts.previous` before its successor is begun; the one before it may go then. A
package that it needs and this checkout does not is named in `requirements/dev.in`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.charts.helm import CHART, KINDS_CHART, Helm, find_or_build
from tests.control_plane.images import INSIDE, PRODUCT, ROOT, Image, copy_locked
from tests.control_plane.sandbox import Mount
from thv import __version__
from thv.domain.versions import SemVer, parse_semver

RELEASES = ROOT / "tests" / "data" / "releases"
_KEPT = (
    ROOT / "deploy" / "install.yaml",
    KINDS_CHART / "crds" / "mcpregistries.yaml",
    ROOT / "requirements" / "run.txt",
)


class Release:
    """What one release consists of, where it is kept."""

    def __init__(self, folder: Path) -> None:
        self.version = folder.name
        self.image = f"{PRODUCT}:{self.version}"
        self.chart = folder / f"toolhive-registry-{self.version}.tgz"
        self.manifests = folder / "install.yaml"
        self.kinds = folder / "mcpregistries.yaml"
        self.lock = folder / "run.txt"
        self.wheel = folder / f"toolhive_registry-{self.version}-py3-none-any.whl"


def previous() -> Release:
    """The newest one that is kept."""
    return Release(max(RELEASES.iterdir(), key=_version))


def _version(folder: Path) -> SemVer:
    found = parse_semver(folder.name)
    assert found is not None, f"{folder} is no release"
    return found


def previous_image(product: Image, folder: Path) -> Image:
    """Its program and the packages that it needs, in the versions of today, as its pods run it."""
    release = previous()
    (today,) = [mount for mount in product.folders if mount.target == INSIDE]
    environment = folder / "venv"
    shutil.copytree(today.source, environment, symlinks=True, copy_function=os.link)
    (site,) = environment.glob("lib/python*/site-packages")
    shutil.rmtree(site / "thv")
    before = {file.name for file in site.iterdir()}
    copy_locked(release.lock, site)
    with zipfile.ZipFile(release.wheel) as wheel:
        wheel.extractall(site)
    fresh = [str(file) for file in site.iterdir() if file.name not in before]
    subprocess.run([sys.executable, "-m", "compileall", "-qq", *fresh], check=True)
    mounts = [mount for mount in product.folders if mount != today]
    older = Mount(environment, INSIDE, read_only=True)
    return product._replace(pattern=f"*{release.image}", folders=(*mounts, older))


def keep() -> None:
    """Keeps this checkout as a release."""
    folder = RELEASES / __version__
    folder.mkdir(parents=True)
    for file in _KEPT:
        shutil.copy(file, folder)
    Helm(find_or_build(), folder)("package", str(CHART), "-d", str(folder))
    command = [sys.executable, "-m", "flit_core.wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    keep()
