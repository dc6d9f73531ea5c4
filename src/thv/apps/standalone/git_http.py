"""One bare Git repository behind smart HTTP, for fetching only: an ASGI application over `git upload-pack`.

In the flow: beneath the demo content of a standalone process; a real Git source reads from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]

_BIGGEST_REQUEST = 16 * 1024 * 1024
_NO_CACHE: Header = (b"cache-control", b"no-cache")
_ADVERTISED = b"001e# service=git-upload-pack\n0000"


class GitHttp:
    """Answers the two requests of a fetch; everything else is not found."""

    def __init__(
        self, repository: Path, *, git: str, search_path: str, latest: bool = True
    ) -> None:
        """`git` is the program; without `latest` only the first version of the protocol is spoken."""
        self._repository = repository
        self._git = git
        self._search_path = search_path
        self._latest = latest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The path of `scope` is relative to the repository."""
        match scope["method"], scope["path"], scope.get("query_string", b""):
            case "GET", "/info/refs", b"service=git-upload-pack":
                await self._advertise(scope, send)
            case "POST", "/git-upload-pack", _:
                await self._serve(scope, receive, send)
            case _:
                await respond(send, 404, b"not found\n")

    async def _advertise(self, scope: Scope, send: Send) -> None:
        await _start(send, 200, b"application/x-git-upload-pack-advertisement")
        await send({"type": "http.response.body", "body": _ADVERTISED, "more_body": True})
        await _stream(send, self._output(scope, b"", "--http-backend-info-refs"))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if header(scope, b"content-encoding") == b"gzip":
            body = zlib.decompressobj(31).decompress(body, _BIGGEST_REQUEST)
        await _start(send, 200, b"application/x-git-upload-pack-result")
        await _stream(send, self._output(scope, body))

    async def _output(self, scope: Scope, stdin: bytes, *options: str) -> AsyncIterator[bytes]:
        process = await asyncio.create_subprocess_exec(
            *(self._git, "upload-pack", "--stateless-rpc", *options, str(self._repository)),
            env=self._environment(scope),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdin is not None  # noqa: S101 - for the type checker: both pipes are asked for
        assert process.stdout is not None  # noqa: S101
        try:
            if not process.stdin.is_closing():
                process.stdin.write(stdin)
            process.stdin.close()
            while chunk := await process.stdout.read(65536):
                yield chunk
            await process.wait()
        finally:
            await _ended(process)

    def _environment(self, scope: Scope) -> dict[str, str]:
        said = header(scope, b"git-protocol").decode("ascii", "replace")
        protocol = {"GIT_PROTOCOL": said} if self._latest and said.startswith("version=") else {}
        return {
            "PATH": self._search_path,
            "HOME": str(self._repository),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            **protocol,
        }


async def respond(
    send: Send,
    status: int,
    body: bytes,
    *,
    kind: bytes = b"text/plain; charset=utf-8",
    headers: tuple[Header, ...] = (),
) -> None:
    """A whole answer at once."""
    await _start(send, status, kind, (b"content-length", b"%d" % len(body)), *headers)
    await send({"type": "http.response.body", "body": body})


async def _start(send: Send, status: int, kind: bytes, *headers: Header) -> None:
    sent = [(b"content-type", kind), _NO_CACHE, *headers]
    await send({"type": "http.response.start", "status": status, "headers": sent})


async def _stream(send: Send, chunks: AsyncIterator[bytes]) -> None:
    async for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _body(receive: Receive) -> bytes:
    body = b""
    more = True
    while more and len(body) <= _BIGGEST_REQUEST:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def header(scope: Scope, name: bytes) -> bytes:
    """The value of a header of the request, `b""` without one."""
    return next((value for key, value in scope["headers"] if key == name), b"")


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            await process.communicate()
