"""Builds the servers that tests need, and says which programs are missing: `python -m tests.tools`, or `make tools`.

Tests that need a program that is missing are skipped and say so; nothing here is needed to run the product.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from tests.charts import helm
from tests.control_plane.binaries import find, find_or_build, version
from tests.control_plane.sandbox import is_possible
from tests.docs.lua import LUA
from tests.git_server import GIT, SSHD
from tests.go_programs import GoProgram, MissingError, go_command
from tests.mesh.definitions import ISTIO
from tests.peers.programs import OFFICIAL, TOOLHIVE, is_wanted, postgres_folder


class Tool(NamedTuple):
    """A program, where it was found, and what it is for."""

    name: str
    place: str
    package: str
    purpose: str


def tools() -> list[Tool]:
    """Every program that some test wants."""
    return [
        Tool("git", GIT, "git", "sources and samples from Git"),
        Tool("sshd", SSHD, "openssh-server", "Git over SSH"),
        Tool("openssl", shutil.which("openssl") or "", "openssl", "Git over TLS"),
        Tool("chromium", shutil.which("chromium") or "", "chromium", "the API in a real browser"),
        Tool("shellcheck", shutil.which("shellcheck") or "", "shellcheck", "the image's script"),
        Tool("strace", shutil.which("strace") or "", "strace", "kill -9 at every durable write"),
        Tool("go", go_command() or "", "golang", "builds the Kubernetes control plane, once"),
        Tool("unshare", shutil.which("unshare") or "", "util-linux", "pods that really run"),
    ]


def main() -> None:
    for tool in tools():
        found = tool.place or f"missing: apt-get install {tool.package}"
        _say(tool.name, found, tool.purpose)
    data = os.environ.get("THV_REAL_DATA", "")
    known = bool(data) and Path(data).is_dir()
    _say("THV_REAL_DATA", data if known else "not set", "tests of real registries")
    _say("pods", "run here" if is_possible() else "cannot run here: it takes root", "tests of pods")
    _say("kubernetes", _control_plane(), "")
    _say("helm", _helm(), "the charts")
    _say("lua", _lua(), "the health script for Argo CD")
    _say("istio", _istio(), "its kinds, for manifests of a mesh")
    _say("postgres", _postgres(), "the official registry")
    _say("registry", _peer(OFFICIAL), "the official registry as a source")
    _say("toolhive", _peer(TOOLHIVE), "ToolHive's thv as a client")


def _control_plane() -> str:
    """Where it is; it is built where it is not."""
    known = find()
    if (known is None or not known.has_manager) and go_command():
        print(f"building Kubernetes {version()}: some minutes, once a machine ...", flush=True)
    try:
        return str(find_or_build().folder)
    except MissingError as error:
        return f"missing: {error}"


def _helm() -> str:
    try:
        return str(helm.find_or_build())
    except MissingError as error:
        return f"missing: {error}"


def _lua() -> str:
    try:
        return str(LUA.find_or_build())
    except MissingError as error:
        return f"missing: {error}"


def _istio() -> str:
    try:
        return str(ISTIO.find_or_fetch())
    except MissingError as error:
        return f"missing: {error}"


def _postgres() -> str:
    try:
        return str(postgres_folder())
    except MissingError as error:
        return f"missing: {error}"


def _peer(program: GoProgram) -> str:
    """Where it is; it is built where it is not, and wanted."""
    if program.find() is None and not is_wanted(program):
        return "not built; THV_PEERS=1 make tools builds it"
    if program.find() is None and go_command():
        print(f"building {program.product} {program.version}: some minutes ...", flush=True)
    try:
        return str(program.find_or_build())
    except MissingError as error:
        return f"missing: {error}"


def _say(name: str, found: str, purpose: str) -> None:
    print(f"{name:<13} {found:<40} {purpose}")


if __name__ == "__main__":
    main()
