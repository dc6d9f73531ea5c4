from __future__ import annotations

import atexit
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.contracts.source.world import World, document_of
from tests.contracts.source.world_folder import entries_of
from tests.git_server import GIT, SEARCH_PATH, TOKEN, GitHost, git_host
from thv.clients.git.client import Git
from thv.clients.git.limits import Limits
from thv.clients.http.guard import AllowList
from thv.domain import registry as specs
from thv.sources.base import SecretData, Source
from thv.sources.git import GitSource
from thv.sources.git_access import GitAccess

_NUMBERS = itertools.count()


class GitWorld:
    """A private repository behind smart HTTP that holds one document."""

    path = "registry.json"

    def __init__(self, folder: Path, host: GitHost) -> None:
        self._folder = folder
        self._host = host
        self._name = f"world-{next(_NUMBERS)}"
        self._bare = host.repository(self._name)

    def files(self, names: Sequence[str]) -> dict[str, bytes]:
        return {"registry.json": document_of(names)}

    def publish(self, names: Sequence[str]) -> None:
        self._bare.commit(self.files(names))

    def remove(self) -> None:
        self._bare.commit({"README.md": b"moved away"})

    def shut(self) -> None:
        self._host.shut.add(self._name)

    def source(self) -> Source:
        return self._source("main")

    def other(self) -> Source:
        return self._source("other")

    def small(self) -> Source:
        return self._source("main", Limits(total=1000))

    def _source(self, branch: str, limits: Limits | None = None) -> Source:
        spec = specs.GitSource(
            repository=self._host.url(self._name, "basic"),
            branch=branch,
            path=self.path,
            auth_secret=specs.AuthSecret(name="read"),
        )
        access = GitAccess(
            git=Git(scratch=self._folder, limits=limits, search_path=SEARCH_PATH),
            read_secret=_secret,
            read_config_map=_no_config_map,
            allow=AllowList.parse([f"127.0.0.1:{self._host.port}"]),
        )
        return GitSource(spec, access)


class GitFolderWorld(GitWorld):
    """The same with a folder of entries."""

    path = "registry"

    def files(self, names: Sequence[str]) -> dict[str, bytes]:
        return {f"registry/{path}": content for path, content in entries_of(names).items()}


@cache
def shared_host() -> GitHost:
    """One host for all worlds; each has a repository of its own."""
    if not GIT:
        pytest.skip("git is not installed: no Git host to test against")
    root = tempfile.mkdtemp(prefix="git-worlds-")
    running = ExitStack()
    running.callback(shutil.rmtree, root)
    atexit.register(running.close)
    return running.enter_context(git_host(Path(root)))


async def _secret(name: str) -> SecretData:
    return SecretData({"token": TOKEN.encode() + b"\n"})


async def _no_config_map(name: str) -> dict[str, bytes]:
    raise AssertionError(name)


@asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[World]:
    yield GitWorld(folder, shared_host())
