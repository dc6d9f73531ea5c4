"""The process that reads one source for whoever tries it: what it is told, what it may take, and how it ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.catalog_api.documents import Documents, documents
from tests.builders import array, manifest, server
from tests.git_server import GitHost, host
from thv.apps.catalog_api.preview_apart import Apart
from thv.apps.kit.outbound import Outbound
from thv.clients.kube.config import Access
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.sync.preview import Limits, Preview

__all__ = ["host"]

pytestmark = [pytest.mark.flows, pytest.mark.anyio, pytest.mark.requirement("REG-09")]

NOBODY = Access(cluster={"server": "https://127.0.0.1:9"}, user={"token": "of-the-pod"})
"""A cluster that does not answer: these sources need none."""
PATIENT = Limits(seconds=60)
"""For machines that are busy."""
_DICTS = ",".join(["{}"] * 1_390_000)


@pytest.fixture(scope="module")
def web() -> Iterator[Documents]:
    with documents() as there:
        yield there


async def tried(web: Documents, path: str, limits: Limits = PATIENT) -> Preview:
    source = {"type": "url", "url": {"url": web.url(path)}}
    return await read(source, web.place, limits)


async def read(source: JsonObject, allowed: str, limits: Limits) -> Preview:
    environ = {**os.environ, "THV_PROXY_PASSWORD": "not for you"}
    apart = Apart(NOBODY, environ, lambda: Outbound(allow=(allowed,)))
    return await apart.read("of-mia", manifest("tried", source=source), limits)


async def failed(web: Documents, path: str, limits: Limits = PATIENT) -> Code:
    with pytest.raises(ThvError) as raised:
        await tried(web, path, limits)
    return raised.value.code


def processes() -> list[Path]:
    """Of trials that we began."""
    ours = f"PPid:\t{os.getpid()}\n"
    return [
        each.parent
        for each in Path("/proc").glob("[0-9]*/cmdline")
        if "preview_process" in _text(each) and ours in _text(each.with_name("status"))
    ]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


async def test_what_a_source_holds_is_told(web: Documents) -> None:
    web.content["/three.json"] = array(server("a/one"), server("a/two"), {"name": "bad"})
    found = await tried(web, "/three.json")
    assert (found.cut, found.format, found.entries, found.rejected) == ("", "upstream", 2, 1)
    assert found.first == ("a/one", "a/two")


async def test_of_a_large_source_the_beginning_is_read(web: Documents) -> None:
    words = "words " * 500
    every = [server(f"a/s{number}", description=words) for number in range(9_000)]
    web.content["/large.json"] = array(*every)
    assert len(web.content["/large.json"]) > 25 << 20
    found = await tried(web, "/large.json")
    assert found.cut == "entries"
    assert PATIENT.entries <= found.taken < PATIENT.entries + 100


async def test_a_repository_is_read_where_somebody_lets_it_be(host: GitHost) -> None:
    host.repository("tried").commit({"registry.json": array(server("a/one"))})
    source = {"type": "git", "git": {"repository": host.url("tried")}}
    found = await read(source, f"127.0.0.1:{host.port}", PATIENT)
    assert found.first == ("a/one",)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/bomb.json", f'{{"servers": [{{"server": {{"name": "a/b", "x": [{_DICTS}]}}}}]}}'),
        ("/bomb.yaml", f"servers: [{_DICTS}]"),
    ],
    ids=("json", "yaml"),
)
async def test_a_source_that_takes_too_much_ends_its_own_process(
    web: Documents, path: str, content: str
) -> None:
    web.content[path] = content.encode()
    assert await failed(web, path) is Code.SIZE_LIMIT_EXCEEDED
    assert not processes()


async def test_a_source_that_says_nothing_is_not_waited_for(web: Documents) -> None:
    assert await failed(web, "/silent.json", Limits(seconds=0.5)) is Code.SOURCE_TIMEOUT
    assert not processes()


async def test_it_knows_no_secret_of_ours_and_ends_with_whoever_asked(web: Documents) -> None:
    asked = len(web.tokens)
    waiting = asyncio.ensure_future(tried(web, "/silent.json"))
    async with asyncio.timeout(60):
        while len(web.tokens) == asked:  # noqa: ASYNC110 # what happens is in another process
            await asyncio.sleep(0.05)
    (process,) = processes()
    environ, command = _text(process / "environ"), _text(process / "cmdline")
    assert "THV_" not in environ
    assert "of-mia" not in environ + command
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not processes()
