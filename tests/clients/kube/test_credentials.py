"""Tokens that change while a process runs."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from tests.clients.kube.server import Request, Server, Wire, serving, status
from thv.clients.kube import credentials
from thv.clients.kube.client import KubeClient
from thv.clients.kube.config import Access, connect
from thv.clients.kube.credentials import Command, CommandAuth, TokenFileAuth
from thv.clients.kube.errors import KubeConfigError, KubeUnreachableError
from thv.domain.canonical import JsonObject

pytestmark = pytest.mark.anyio


class Guard:
    """Lets in whoever bears one of its tokens."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = set(tokens)

    async def __call__(self, request: Request, wire: Wire) -> None:
        if request.headers.get("authorization", "").removeprefix("Bearer ") in self.tokens:
            await wire.say(200, {})
        else:
            await wire.say(401, status(401, "Unauthorized", "Unauthorized"))


@asynccontextmanager
async def guarded(guard: Guard, user: JsonObject) -> AsyncIterator[tuple[KubeClient, Server]]:
    async with serving(guard) as server:
        access = Access(cluster={"server": server.url}, user=user, origin="the test")
        client = connect(access, dict(os.environ))
        yield client, server
        await client.close()


def tokens(server: Server) -> list[str]:
    return [asked.headers["authorization"].removeprefix("Bearer ") for asked in server.asked]


# ---------------------------------------------------------------- files


@pytest.mark.flows
async def test_a_token_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    guard = Guard("old")
    async with guarded(guard, {"tokenFile": str(file)}) as (client, server):
        await client.request("GET", "/version")
        file.write_text("new")
        guard.tokens = {"new"}
        await client.request("GET", "/version")
    assert tokens(server) == ["old", "old", "new"]


@pytest.mark.flows
async def test_a_missing_token_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "token"
    async with guarded(Guard(), {"tokenFile": str(file)}) as (client, _):
        with pytest.raises(KubeUnreachableError, match=f"cannot read the token file {file}"):
            await client.request("GET", "/version")


async def test_a_token_file_is_read_once_a_minute(tmp_path: Path) -> None:
    now = 0.0
    file = tmp_path / "token"
    auth = TokenFileAuth(file, clock=lambda: now)

    async def sent() -> str:
        flow = auth.async_auth_flow(httpx2.Request("GET", "http://127.0.0.1/"))
        request = await anext(flow)
        await flow.aclose()
        return request.headers["authorization"]

    file.write_text("one")
    assert await sent() == "Bearer one"
    file.write_text("two")
    now = 59.0
    assert await sent() == "Bearer one"
    now = 60.0
    assert await sent() == "Bearer two"


# ---------------------------------------------------------------- commands

V1 = "client.authentication.k8s.io/v1"
V1BETA1 = "client.authentication.k8s.io/v1beta1"


def a_command(folder: Path, code: str, **fields: object) -> JsonObject:
    """A user whose token a script prints; the script counts its runs in a file."""
    script = folder / "credential.py"
    count = f"open({str(folder / 'runs')!r}, 'a').write('x')\n"
    script.write_text(f"import json, os, sys\n{count}{code}")
    return {"exec": {"apiVersion": V1, "command": sys.executable, "args": [str(script)], **fields}}


def printing(token: str, until: str = "") -> str:
    given = {"token": token, **({"expirationTimestamp": until} if until else {})}
    credential = {"apiVersion": V1, "kind": "ExecCredential", "status": given}
    return f"print({json.dumps(json.dumps(credential))})"


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text())


@pytest.mark.flows
@pytest.mark.parametrize("version", [V1, V1BETA1])
async def test_a_command_gives_the_token_once(tmp_path: Path, version: str) -> None:
    user = a_command(tmp_path, printing("t", "2126-01-01T00:00:00Z"), apiVersion=version)
    async with guarded(Guard("t"), user) as (client, _):
        await asyncio.gather(*(client.request("GET", "/version") for _ in range(4)))
    assert runs(tmp_path) == 1


@pytest.mark.flows
async def test_an_expired_token_is_asked_for_again(tmp_path: Path) -> None:
    user = a_command(tmp_path, printing("t", "2020-01-01T00:00:00Z"))
    async with guarded(Guard("t"), user) as (client, _):
        await client.request("GET", "/version")
        await client.request("GET", "/version")
    assert runs(tmp_path) == 2


@pytest.mark.flows
async def test_a_refused_token_is_asked_for_again(tmp_path: Path) -> None:
    code = (
        f"runs = len(open({str(tmp_path / 'runs')!r}).read())\n"
        "print(json.dumps({'status': {'token': str(runs)}}))"
    )
    async with guarded(Guard("2"), a_command(tmp_path, code)) as (client, server):
        await client.request("GET", "/version")
    assert tokens(server) == ["1", "2"]


@pytest.mark.flows
async def test_a_command_is_told_about_the_cluster_it_asked_for(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    code = (
        f"open({str(seen)!r}, 'w').write(os.environ['KUBERNETES_EXEC_INFO'] + os.environ['WHO'])\n"
        + printing("t")
    )
    given = {"provideClusterInfo": True, "env": [{"name": "WHO", "value": "me"}]}
    async with guarded(Guard("t"), a_command(tmp_path, code, **given)) as (client, server):
        await client.request("GET", "/version")
    info, _, who = seen.read_text().rpartition("}")
    assert who == "me"
    assert json.loads(info + "}") == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {"interactive": False, "cluster": {"server": server.url}},
    }


@pytest.mark.flows
@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("sys.exit('not logged in')", r"ended with 1: not logged in"),
        ("print('hello')", "is no ExecCredential"),
        ("print('[]')", "is no ExecCredential"),
        ("print('{\"status\": null}')", "is no ExecCredential"),
        ("print('{\"status\": {}}')", "gave no token"),
    ],
)
async def test_a_command_that_gives_no_token_is_named(tmp_path: Path, code: str, why: str) -> None:
    async with guarded(Guard(), a_command(tmp_path, code)) as (client, _):
        with pytest.raises(KubeUnreachableError, match=why):
            await client.request("GET", "/version")


async def test_a_missing_command_tells_how_to_install_it() -> None:
    command = Command(command="/nowhere/aws", install_hint="Install the AWS CLI")
    with pytest.raises(KubeConfigError, match=r"/nowhere/aws: .*\(Install the AWS CLI\)"):
        await CommandAuth(command, {}, {})._current()


async def test_a_cancelled_wait_ends_the_command(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    os.mkfifo(pid)
    code = f"open({str(pid)!r}, 'w').write(str(os.getpid())); sys.stdin.close(); import time; time.sleep(60)"
    user = a_command(tmp_path, code)
    command = Command(command=user["exec"]["command"], args=user["exec"]["args"])
    waiting = asyncio.create_task(CommandAuth(command, {}, dict(os.environ))._current())
    number = int(await asyncio.to_thread(pid.read_text))
    waiting.cancel()
    await asyncio.wait([waiting])
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


async def test_a_command_that_never_ends_ends_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child of it that goes on would hold the pipes that we read."""
    monkeypatch.setattr(credentials, "_COMMAND_SECONDS", 1.0)
    child = "import subprocess, time; subprocess.Popen(['sleep', '600'])"
    user = a_command(tmp_path, f"{child}; time.sleep(600)")
    command = Command(command=user["exec"]["command"], args=user["exec"]["args"])
    with pytest.raises(KubeConfigError, match="gave no token within 1 s"):
        async with asyncio.timeout(60):
            await CommandAuth(command, {}, dict(os.environ))._current()
