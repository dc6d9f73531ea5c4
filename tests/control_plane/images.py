"""What stands for container images: folders of this machine that a container sees, and the command it starts with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from tests.control_plane.sandbox import Mount

ROOT = Path(__file__).parents[2]
PRODUCT = "toolhive-registry"
NONROOT = 65532
INSIDE = "/opt/toolhive-registry"
"""Where containers have the product."""


class Image(NamedTuple):
    """An image whose name fits the pattern."""

    pattern: str
    folders: tuple[Mount, ...] = ()
    """Seen inside, read only; /usr and a small /etc are always there."""
    search_path: str = ""
    entrypoint: tuple[str, ...] = ()
    user: int = NONROOT


def image_of(name: str, images: Sequence[Image]) -> Image | None:
    return next((image for image in images if fnmatchcase(name, image.pattern)), None)


def python_image() -> Image:
    """`python:3` and the like: the interpreter that runs the tests, without any package."""
    return Image("python:*", (_interpreter(),), f"{sys.base_prefix}/bin")


def product_image(folder: Path) -> Image:
    """The product as its image holds it, by the same steps: a wheel of this checkout, and what it needs."""
    environment, packages = folder / "venv", folder / "packages"
    copy_locked(ROOT / "requirements" / "run.txt", packages)
    command = [str(ROOT / "image" / "install.sh"), sys.executable, str(ROOT), str(environment)]
    subprocess.run(
        [*command, str(packages)], env={**os.environ, "INSIDE": INSIDE}, check=True, timeout=120
    )
    mounts = (_interpreter(), Mount(environment, INSIDE, read_only=True))
    return Image(f"*{PRODUCT}*", mounts, f"{INSIDE}/bin", ("thv",))


def _interpreter() -> Mount:
    return Mount(Path(sys.base_prefix), sys.base_prefix, read_only=True)


def copy_locked(lock: Path, packages: Path) -> None:
    """The locked packages as they are installed beside the tests, but for what is there: nothing is fetched."""
    for package in _locked(lock):
        for file in package.files or ():
            if ".." not in file.parts and not (packages / file).exists():
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), packages / file)


def _locked(lock: Path) -> Iterator[Distribution]:
    """What the product needs on this machine; a lock names the packages of other systems as well."""
    for name in re.findall(r"^([\w.-]+)==", lock.read_text(), re.MULTILINE):
        with suppress(PackageNotFoundError):
            yield distribution(name)
