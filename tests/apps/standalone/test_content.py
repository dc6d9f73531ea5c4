from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.contracts.source.world import content_of
from tests.git_server import SEARCH_PATH
from thv.apps.standalone.content import SampleContent, sample_content
from thv.clients.git.client import Git
from thv.clients.http.client import HttpClient
from thv.clients.http.guard import AllowList
from thv.data import paths, read
from thv.domain import registry as specs
from thv.sources.base import Document, Known, SecretData, Unchanged
from thv.sources.file import FileSource
from thv.sources.git import GitSource
from thv.sources.git_access import GitAccess
from thv.sources.url import UrlSource
from thv.sources.web import Web

pytestmark = [pytest.mark.anyio, pytest.mark.flows]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


async def nothing(name: str) -> SecretData:
    raise AssertionError(name)


async def no_data(name: str) -> dict[str, bytes]:
    raise AssertionError(name)


def git_source(content: SampleContent, scratch: Path) -> GitSource:
    access = GitAccess(
        git=Git(scratch=scratch, search_path=SEARCH_PATH),
        read_secret=nothing,
        read_config_map=no_data,
        allow=AllowList.parse([content.address]),
    )
    return GitSource(specs.GitSource(repository=content.platform, path="registry"), access)


def url_source(content: SampleContent, client: HttpClient) -> UrlSource:
    web = Web(
        client=client,
        read_secret=nothing,
        read_config_map=no_data,
        now=lambda: datetime(2026, 11, 21, tzinfo=UTC),
        allow=AllowList.parse([content.address]),
    )
    return UrlSource(specs.UrlSource(url=content.community), web)


async def test_the_folder_is_read_from_a_real_repository(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    async with sample_content(tmp_path / "demo", search_path=SEARCH_PATH) as content:
        source = git_source(content, scratch)
        found = await source.fetch(Known())
        assert isinstance(found, Document)
        read_paths = [part.path async for part in found.parts]
        top = "samples/platform/"
        assert read_paths == [path.removeprefix(top) for path in paths("samples/platform")]
        assert await source.fetch(found.known) == Unchanged(found.known)
    assert content.missing == ()


async def test_the_same_samples_have_the_same_commit_everywhere(tmp_path: Path) -> None:
    commits = []
    for name in ("a", "b"):
        scratch = tmp_path / f"{name}-scratch"
        scratch.mkdir()
        async with sample_content(tmp_path / name, search_path=SEARCH_PATH) as content:
            found = await git_source(content, scratch).fetch(Known())
            assert isinstance(found, Document)
            commits.append(found.known.revision)
    assert commits[0] == commits[1]


async def test_the_document_is_served_with_an_etag(tmp_path: Path) -> None:
    async with (
        sample_content(tmp_path, search_path=SEARCH_PATH) as content,
        HttpClient() as client,
    ):
        source = url_source(content, client)
        found = await source.fetch(Known())
        assert isinstance(found, Document)
        assert await content_of(found) == read("samples/community/servers.json")
        assert isinstance(await source.fetch(found.known), Unchanged)
        served = tmp_path / "community" / "servers.json"
        served.write_text('{"servers": []}')
        edited = await source.fetch(found.known)
        assert isinstance(edited, Document)
        assert await content_of(edited) == b'{"servers": []}'


async def test_the_file_is_where_it_says(tmp_path: Path) -> None:
    async with sample_content(tmp_path, search_path=SEARCH_PATH) as content:
        spec = specs.FileSource(path=str(content.toolhive))
        found = await FileSource(spec, roots=(tmp_path,)).fetch(Known())
        assert isinstance(found, Document)
        assert "github" in json.loads(await content_of(found))["servers"]


async def test_without_git_only_the_git_sample_is_missing(tmp_path: Path) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    async with (
        sample_content(tmp_path / "demo", search_path=str(empty)) as content,
        HttpClient() as client,
    ):
        assert content.platform == ""
        assert content.missing == (
            "git is not installed (Debian, Ubuntu: apt-get install git); the sample from Git is left out",
        )
        assert isinstance(await url_source(content, client).fetch(Known()), Document)


async def test_a_git_that_fails_is_said_and_nothing_breaks(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "git").write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    (programs / "git").chmod(0o755)
    async with sample_content(tmp_path / "demo", search_path=str(programs)) as content:
        assert content.platform == ""
        assert content.missing[0].startswith("git init failed: broken; ")


async def test_nothing_else_is_served_and_nothing_is_written(tmp_path: Path) -> None:
    async with sample_content(tmp_path, search_path=SEARCH_PATH) as content:
        for path in ("/", "/toolhive/registry.json", "/platform.git/config", "/platform.git/HEAD"):
            assert await status(content, "GET", path) == 404
        pack = "/platform.git/info/refs?service=git-receive-pack"
        assert await status(content, "GET", pack) == 404
        assert await status(content, "POST", "/platform.git/git-receive-pack") == 404
        assert await status(content, "POST", "/community/servers.json") == 404
        assert await status(content, "GET", "/platform.git/../community/servers.json") == 404


async def test_nothing_listens_afterwards(tmp_path: Path) -> None:
    async with sample_content(tmp_path, search_path=SEARCH_PATH) as content:
        port = int(content.address.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def status(content: SampleContent, method: str, path: str) -> int:
    """The status of a bare request, whose path no client has tidied."""
    reader, writer = await asyncio.open_connection(*content.address.split(":"))
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    )
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])
