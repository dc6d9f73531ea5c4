"""Programs that tests need and that Go builds, and files of its modules: once a machine, into the tool cache.

The version is part of a module's name, so what is downloaded is held to the sums of Go's public database.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class MissingError(Exception):
    """A program is not on this machine; the message says how to get it."""


class GoProgram(NamedTuple):
    """A main package of a published module."""

    name: str
    """Of the file."""
    module: str
    version: str
    package: str
    """The folder below the module."""
    product: str
    """As people call it; with the version the name of its folder in the tool cache."""
    stamps: Mapping[str, str] = {}
    """Variables that its own build writes."""
    files: tuple[str, ...] = ()
    """What is kept of the module's other files, beside the program."""

    def place(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Where it lies once it is built."""
        return tool_cache(environ) / f"{self.product}-{self.version}" / self.name

    def find(self, environ: Mapping[str, str] = os.environ) -> Path | None:
        """What was built before."""
        place = self.place(environ)
        return place if os.access(place, os.X_OK) else None

    def find_or_build(self, environ: Mapping[str, str] = os.environ) -> Path:
        """The program; a build takes some minutes. Raises MissingError when there is no way to one."""
        place = self.place(environ)
        go = go_command(environ)
        if self.find(environ) is None and go is None:
            raise MissingError(f"no {self.product}: install Go and run `make tools`")
        place.parent.mkdir(parents=True, exist_ok=True)
        with locked(place.parent / ".lock"):
            if self.find(environ) is None:
                assert go is not None
                self._build(go, place, environ)
        return place

    def _build(self, go: str, place: Path, environ: Mapping[str, str]) -> None:
        fresh = place.parent / f".{os.getpid()}"
        settings = {
            "GOTOOLCHAIN": "auto",
            **environ,
            "CGO_ENABLED": "0",
            "GOBIN": str(fresh),
            "GOFLAGS": "-buildvcs=false",
        }
        stamps = " ".join(f"-X {name}={value}" for name, value in self.stamps.items())
        flags = ["-trimpath", "-ldflags", f"-s -w {stamps}".rstrip()]
        try:
            wanted = f"{self.module}/{self.package}@v{self.version}"
            _run([go, "install", *flags, wanted], settings, f"{self.product} cannot be built")
            self._keep_files(go, place.parent, settings)
            (fresh / Path(self.package).name).rename(place)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _keep_files(self, go: str, folder: Path, settings: Mapping[str, str]) -> None:
        if self.files:
            module = f"{self.module}@v{self.version}"
            got = _download(go, module, settings, f"{self.product} cannot be built")
            for file in self.files:
                content = Path(got["Dir"], file).read_bytes()
                (folder / Path(file).name).write_bytes(content)


class GoFile(NamedTuple):
    """A file of a published module of which nothing is built."""

    module: str
    version: str
    sum: str
    """Of the module, as `go.sum` has it."""
    path: str
    """Of the file, below the module."""
    product: str
    """As people call it; with the version the name of its folder in the tool cache."""

    def place(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Where it lies once it was fetched."""
        return tool_cache(environ) / f"{self.product}-{self.version}" / Path(self.path).name

    def find_or_fetch(self, environ: Mapping[str, str] = os.environ) -> Path:
        """The file. Raises MissingError when there is no way to it."""
        place, go = self.place(environ), go_command(environ)
        if not place.exists() and go is None:
            raise MissingError(f"no {self.product}: install Go and run `make tools`")
        place.parent.mkdir(parents=True, exist_ok=True)
        with locked(place.parent / ".lock"):
            if not place.exists():
                assert go is not None
                self._fetch(go, place, environ)
        return place

    def _fetch(self, go: str, place: Path, environ: Mapping[str, str]) -> None:
        failure = f"{self.product} cannot be fetched"
        got = _download(go, f"{self.module}@v{self.version}", environ, failure)
        if got["Sum"] != self.sum:
            raise MissingError(f"{failure}: its sum is {got['Sum']}, not {self.sum}")
        fresh = place.with_name(f".{os.getpid()}")
        fresh.write_bytes(Path(got["Dir"], self.path).read_bytes())
        fresh.rename(place)


def _download(go: str, module: str, environ: Mapping[str, str], failure: str) -> dict[str, str]:
    """What Go says of a module that it has now."""
    said = _run([go, "mod", "download", "-json", module], environ, failure)
    got: dict[str, str] = json.loads(said)
    return got


def _run(command: list[str], environ: Mapping[str, str], failure: str) -> str:
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or [f"{' '.join(command[:2])} failed"]
        raise MissingError(f"{failure}: {said[0]}")
    return done.stdout


def tool_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where tools are kept that were built once for every checkout."""
    caches = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(environ.get("THV_TOOLS") or f"{caches}/toolhive-registry/tools")


def go_command(environ: Mapping[str, str] = os.environ) -> str | None:
    """Where Go is, also if its own installer put it where nobody looks."""
    return shutil.which("go", path=f"{environ.get('PATH', os.defpath)}:/usr/local/go/bin")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One build at a time; who comes second finds what the first has built."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
