"""A secret is nowhere but in its own file: not in logs, statuses, answers, errors, output, or other files.

Every secret here is one canary, given as token, password, header, key or part of a URL to sources whose upstreams
fail in many ways, some of which repeat whatever they were sent.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.apps.registry_api.asking import Client
from tests.faults.world import NAMESPACE, World
from tests.upstream import Corpus, Play, Reply, Seen, Upstream, Writer, answer, reset, status
from thv.apps.registry_api.settings import Settings
from thv.apps.registry_api.wiring import registries
from thv.domain.canonical import JsonObject
from thv.domain.resources import MCP_REGISTRY, SECRET

pytestmark = [pytest.mark.anyio, pytest.mark.flows]

CANARY = "c4n@ry/Zm9v+b4r%s3cret"
USER = "alice"
FORMS = {
    CANARY.encode(),
    quote(CANARY, safe="").encode(),
    quote(CANARY).encode(),
    base64.b64encode(CANARY.encode()),
    base64.urlsafe_b64encode(CANARY.encode()),
    base64.b64encode(f"{USER}:{CANARY}".encode()),
    json.dumps(CANARY)[1:-1].encode(),
}
SECRETS: dict[str, dict[str, str]] = {
    "token": {"token": CANARY},
    "basic": {"username": USER, "password": CANARY},
    "headers": {"X-Api-Key": CANARY},
    "ssh": {
        "sshPrivateKey": CANARY,
        "ssh-privatekey": CANARY,
        "known_hosts": "example.com ssh-rsa AAAA",
    },
}
LIST, DOCUMENT = "/v0.1/servers", "/registry.json"


def echoing(code: int) -> Play:
    """The answer holds every header of the request, in its body and in its own headers."""

    async def play(_writer: Writer, seen: Seen, _reply: Reply) -> Reply:
        said = seen.headers.get("authorization", "") or seen.headers.get("x-api-key", "")
        text = json.dumps({"error": seen.headers, "title": said, said: said}).encode()
        headers = {
            "Content-Type": "application/json" if code == 200 else "text/plain",
            "WWW-Authenticate": said,
            "X-Said": said,
        }
        return Reply(code, text, headers)

    return play


def echoing_validators() -> Play:
    """A good answer but for what its headers repeat."""

    async def play(_writer: Writer, seen: Seen, reply: Reply) -> Reply:
        said = seen.headers.get("authorization", "") or seen.headers.get("x-api-key", "")
        return Reply(200, reply.body, {**reply.headers, "ETag": f'"{said}"', "Last-Modified": said})

    return play


def echoing_redirect() -> Play:
    async def play(_writer: Writer, seen: Seen, _reply: Reply) -> Reply:
        said = seen.headers.get("authorization", "") or seen.headers.get("x-api-key", "")
        return Reply(
            302, b"", {"Location": f"http://169.254.169.254/{quote(said)}?x={quote(said)}"}
        )

    return play


FAULTS: dict[str, Play] = {
    "refused": status(401, www_authenticate="Basic"),
    "forbidden": status(403),
    "reset": reset(),
    "a redirect to another origin": status(302, location="http://127.0.0.1:9/registry.json"),
    "broken JSON": answer(b'{"servers": ['),
    "an echo with 401": echoing(401),
    "an echo with 500": echoing(500),
    "an echo with 200": echoing(200),
    "an echo in the validators": echoing_validators(),
    "an echo in a redirect": echoing_redirect(),
}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream(Corpus.synthetic(5, lambda: datetime(2026, 6, 1, tzinfo=UTC))) as running:
        rows = running.corpus.page(limit=1000)
        running.file(DOCUMENT, b"[" + b",".join(row.render() for row in rows) + b"]")
        yield running


@pytest.fixture
async def world(tmp_path: Path, upstream: Upstream) -> AsyncIterator[World]:
    async with World(tmp_path / "data", upstream) as opened:
        for name, values in SECRETS.items():
            await opened.local.resources.apply(secret(name, values), manager="test", force=True)
        yield opened


def secret(name: str, values: dict[str, str]) -> JsonObject:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": data,
    }


def sources(world: World) -> dict[str, JsonObject]:
    """Every kind of source with every kind of secret that it takes."""
    web: dict[str, JsonObject] = {
        "token": {"authSecret": {"name": "token", "tokenKey": "token"}},
        "basic": {"authSecret": {"name": "basic"}},
        "headers": {"headersSecret": {"name": "headers"}},
    }
    found = {}
    for name, more in web.items():
        found[f"url-{name}"] = world.url(DOCUMENT, **more)
        found[f"api-{name}"] = world.api(**more)
    base = world.upstream.url
    for name in ("token", "basic"):
        git = {"repository": f"{base}/servers.git", **web[name]}
        found[f"git-{name}"] = {"type": "git", "git": git}
    ssh = {"repository": "ssh://git@127.0.0.1:9/servers.git", "authSecret": {"name": "ssh"}}
    found["git-ssh"] = {"type": "git", "git": ssh}
    return found


@pytest.mark.requirement("SYN-02")
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_secret_is_nowhere_but_in_its_own_file(
    world: World, upstream: Upstream, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[bytes] = []
    for name, source in sources(world).items():
        await world.add(name, source)
        upstream.fault(FAULTS[fault], times=-1)
        await world.sync(name)
        upstream.heal()
        said.append(json.dumps(await world.object(name)).encode())
    assert any(CANARY in seen.headers.get("x-api-key", "") for seen in upstream.requests)
    said += [await answers_of(world), caplog.text.encode()]
    for text in said:
        assert_clean(text)
    assert_files_are_clean(world.folder)


@pytest.mark.requirement("SYN-02")
async def test_commands_say_no_secret(world: World, upstream: Upstream) -> None:
    for name, source in sources(world).items():
        await world.add(name, source)
    upstream.fault(echoing(401), times=-1)
    every = [name for name in sources(world) if name != "git-ssh"]
    for words in (
        ("registry", "sync", *every, "--debug", "--verbose"),
        ("registry", "status", "url-token"),
        ("registry", "show", "url-basic", "-o", "yaml"),
        ("registry", "list", "-o", "json"),
        ("get", "secrets"),
        ("get", "mcpregistries", "-o", "yaml"),
    ):
        assert_clean(said_by(world.folder, *words))


@pytest.mark.requirement("SYN-02")
@pytest.mark.parametrize("block", ["url", "registry", "git"])
async def test_a_secret_in_a_url_is_refused_and_not_repeated(
    world: World, upstream: Upstream, block: str
) -> None:
    url = f"http://{USER}:{quote(CANARY, safe='')}@{upstream.place}{DOCUMENT}"
    flag = {"url": "--url", "registry": "--registry-url", "git": "--git-repo"}[block]
    assert_clean(said_by(world.folder, "registry", "add", "leaky", flag, url, "--debug"))
    assert upstream.requests == []
    assert_files_are_clean(world.folder)


def said_by(folder: Path, *words: str) -> bytes:
    """Everything that a command writes."""
    environ = {**os.environ, "THV_DATA": str(folder), "THV_CONFIG": "/nonexistent"}
    environ["THV_FETCH_BACKOFF"] = "1ms"
    command = [str(Path(sys.executable).with_name("thv")), *words]
    done = subprocess.run(command, env=environ, check=False, capture_output=True, timeout=60)
    return done.stdout + done.stderr


async def answers_of(world: World) -> bytes:
    """What the API says of every registry, and of the list of them."""
    local = world.local
    door = registries(
        local.resources,
        local.chunks,
        local.home.models,
        taxonomy=local.taxonomy,
        settings=Settings(),
        clock=local.clock,
    )
    listed = await local.resources.list(MCP_REGISTRY)
    await door.follower.run(_events(listed.items))
    client = Client(door.app, host="localhost")
    bodies = []
    for name in sources(world):
        base = f"/r/{NAMESPACE}/{name}"
        for target in (
            base,
            f"{base}/api/v1/registry/info",
            f"{base}/api/v1/servers",
            f"{base}/healthz",
        ):
            reply = await client.send("GET", target, {})
            bodies.append(reply.body + json.dumps(reply.headers).encode())
    return b"\n".join(bodies)


async def _events(items: list[JsonObject]) -> AsyncIterator[tuple[JsonObject, bool]]:
    for obj in items:
        yield obj, False


def assert_clean(text: bytes) -> None:
    for form in FORMS:
        place = text.find(form)
        assert place < 0, text[max(0, place - 300) : place + 100]


def assert_files_are_clean(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.parent.name != "secrets":
            content = path.read_bytes()
            for form in FORMS:
                assert form not in content, f"{path.relative_to(folder)} holds it"
