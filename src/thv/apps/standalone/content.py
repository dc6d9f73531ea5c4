"""The content that a demo looks at: a file, a document behind HTTP, and a Git repository behind smart HTTP.

In the flow: before the standalone process creates its sample registries, which read from here by their real sources.
Everything listens on loopback, on one port that is free.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import uvicorn

from thv.apps.standalone.git_http import GitHttp, Receive, Scope, Send, header, respond
from thv.data import paths, read

_COMMUNITY = "/community/servers.json"
_PLATFORM = "/platform.git"
_SAMPLES = "samples"
_BORN = 1_767_225_600  # 2026-01-01: the same content has the same commit everywhere
_MESSAGE = b"Add the servers that the platform team runs\n"
_AUTHOR = "ToolHive Registry <samples@toolhive.example>"


class SampleContent(msgspec.Struct, frozen=True, kw_only=True):
    """Where the samples are."""

    toolhive: Path
    """A document in ToolHive's format."""
    community: str
    """The URL of a document in the official format."""
    platform: str
    """The URL of a Git repository with a folder `registry` of entries; `""` without git."""
    address: str
    """`host:port` of both URLs, for an allow-list."""
    missing: tuple[str, ...] = ()
    """What was left out and why, a line each."""


@asynccontextmanager
async def sample_content(
    directory: Path, *, search_path: str | None = None
) -> AsyncIterator[SampleContent]:
    """Writes the samples into `directory` and serves them until the context ends.

    `search_path` is where git is looked for. What lies in `directory` is what is served: an edit is seen at once.
    """
    search_path = os.defpath if search_path is None else search_path
    toolhive = _written(directory, "toolhive/registry.json")
    _written(directory, "community/servers.json")
    repository = directory / "platform.git"
    git = shutil.which("git", path=search_path) or ""
    missing = await _make_repository(repository, git, search_path)
    platform = None if missing else GitHttp(repository, git=git, search_path=search_path)
    async with _served(_App(directory, platform)) as port:
        base = f"http://127.0.0.1:{port}"
        yield SampleContent(
            toolhive=toolhive,
            community=base + _COMMUNITY,
            platform=base + _PLATFORM if platform else "",
            address=f"127.0.0.1:{port}",
            missing=(f"{missing}; the sample from Git is left out",) if missing else (),
        )


class _App:
    """The document with an ETag, and the repository."""

    def __init__(self, directory: Path, platform: GitHttp | None) -> None:
        self._document = directory / "community" / "servers.json"
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == _COMMUNITY and scope["method"] in ("GET", "HEAD"):
            await self._send_document(scope, send)
        elif self._platform is not None and path.startswith(_PLATFORM + "/"):
            await self._platform({**scope, "path": path.removeprefix(_PLATFORM)}, receive, send)
        else:
            await respond(send, 404, b"not found\n")

    async def _send_document(self, scope: Scope, send: Send) -> None:
        content = await asyncio.to_thread(self._document.read_bytes)
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'.encode()
        headers = ((b"etag", etag),)
        if header(scope, b"if-none-match") == etag:
            await respond(send, 304, b"", headers=headers)
        else:
            await respond(send, 200, content, kind=b"application/json", headers=headers)


class _Server(uvicorn.Server):
    """Ends with its context; signals belong to the process around it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _served(app: _App) -> AsyncIterator[int]:
    """The port of `app` on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # What is accepted inherits it; without it each answer in two writes waits 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        config = uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
        server = _Server(config)
        serving = asyncio.ensure_future(server.serve([listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


def _written(directory: Path, name: str) -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(read(f"{_SAMPLES}/{name}"))
    return path


async def _make_repository(folder: Path, git: str, search_path: str) -> str:
    """A bare repository with one commit, unless there is one already; why not, where there cannot be one."""
    if not git:
        return "git is not installed (Debian, Ubuntu: apt-get install git)"
    if await asyncio.to_thread(folder.exists):
        return ""
    init = ("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(folder))
    for arguments, stdin in (
        (init, b""),
        (("config", "uploadpack.allowFilter", "true"), b""),
        (("fast-import", "--quiet"), _commit()),
    ):
        failed = await _run_git(git, search_path, folder, *arguments, stdin=stdin)
        if failed:
            return failed
    return ""


def _commit() -> bytes:
    """The samples as `git fast-import` reads them."""
    head = f"commit refs/heads/main\ncommitter {_AUTHOR} {_BORN} +0000\n"
    lines = [head.encode(), b"data %d\n%s\n" % (len(_MESSAGE), _MESSAGE)]
    top = f"{_SAMPLES}/platform"
    for path in paths(top):
        content = read(path)
        name = f"registry{path.removeprefix(top)}"
        lines.append(b"M 100644 inline %s\ndata %d\n%s\n" % (name.encode(), len(content), content))
    return b"".join(lines)


async def _run_git(
    git: str, search_path: str, folder: Path, *arguments: str, stdin: bytes = b""
) -> str:
    """What went wrong, `""` when nothing did."""
    process = await asyncio.create_subprocess_exec(
        git,
        *arguments,
        env={
            "PATH": search_path,
            "HOME": str(folder),
            "GIT_DIR": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        },
        # uvloop raises when even nothing is written to a process that has ended already
        stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate(stdin or None)
    if process.returncode == 0:
        return ""
    return f"git {arguments[0]} failed: {' '.join(said.decode(errors='replace').split())[:200]}"
