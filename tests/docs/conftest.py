"""The stage that pages of the documentation are played on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from tests.charts.conftest import bare, helm_program, older, releases
from tests.charts.releases import Releases
from tests.docs.stage import Stage
from tests.git_server import TOKEN, git_host
from tests.upstream import Upstream
from thv.data import paths, read

__all__ = ["bare", "helm_program", "older", "releases"]

_PROGRAMS = {"curl": "curl", "git": "git", "openssl": "openssl", "ssh-keygen": "openssh-client"}
_FOLDER = "samples/platform"


@pytest.fixture(scope="module")
def stage(
    releases: Releases, helm_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A cluster with nothing in it, and the hosts that pages name."""
    missing = [package for program, package in _PROGRAMS.items() if which(program) is None]
    if missing:
        pytest.skip(f"pages need these: apt-get install {' '.join(missing)}")
    with Upstream() as web, git_host(tmp_path_factory.mktemp("git")) as git:
        web.file("/servers.json", read("samples/community/servers.json"))
        web.corpus.publish("io.example/weather", description="Tells the weather.")
        for name in ("mcp-servers", "servers"):
            git.repository(name).commit(_entries("registry"))
        git_place = f"127.0.0.1:{git.port}"
        hosts = {
            "https://registry.modelcontextprotocol.io": web.url,
            "https://registry.example.com": web.url,
            "https://git.corp.example/team": f"http://{git_place}/basic",
            "https://git.example.com/platform": f"http://{git_place}/smart",
            # Who opens the private host opens those that stand in for public ones, too.
            "git.corp.example:443": f"{git_place},{web.place}",
            "allowed-hosts=git.corp.example": "allowed-hosts=127.0.0.1",
            "github_pat_11AAAA": TOKEN,
            "127.0.0.1:8080": f"127.0.0.1:{_free_port()}",
        }
        yield Stage(tmp_path_factory.mktemp("stage"), releases, helm_program, hosts)


def _entries(below: str) -> dict[str, bytes]:
    """The sample that is a folder of entries, as a repository holds it."""
    return {f"{below}/{path.removeprefix(_FOLDER + '/')}": read(path) for path in paths(_FOLDER)}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
