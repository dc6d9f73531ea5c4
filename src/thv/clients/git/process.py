"""One git process with hard bounds: time, output, memory, and the disk it fills.

In the flow: under every command of this room. Whatever goes wrong, the whole process group is gone afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import weakref
from collections.abc import AsyncIterator, Awaitable, Coroutine, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from thv.clients.git.errors import GitError, TimedOutError, TooLargeError, diagnosed
from thv.clients.git.limits import Limits

T = TypeVar("T")

_CHUNK = 65536
_STDERR_KEPT = 65536
_WATCH_SECONDS = 0.05
_ENDING_SECONDS = 5.0
_INTERRUPTIONS = 3
_BLOCK = 512

# The kernel holds what a watcher could miss: address space in KiB, size of one file in blocks of 512 bytes.
_BOUNDED = '{ ulimit -v "$1"; ulimit -f "$2"; ulimit -c 0; } 2>/dev/null; shift 2; exec "$@"'


class Command(NamedTuple):
    """What to run, and how far it may go."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    """Where it runs, and the tree whose bytes are held to the limit of disk."""
    about: str
    """What a person sees as the subject of an error."""
    deadline: float
    """In the time of the running loop."""
    limits: Limits


async def run(command: Command, *, stdin: bytes = b"") -> bytes:
    """The standard output of a command that succeeded; raises what `errors.diagnosed` makes of a failed one."""
    pipe = asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL
    process = await _started(command, pipe)
    try:
        talk = _talk(process, command, stdin)
        out, stderr = await _in_time(_watched(talk, command), command)
        code = await _in_time(process.wait(), command)
    except BaseException:
        await _end(process)
        raise
    if code != 0:
        raise diagnosed(stderr, code, about=command.about)
    return out


class Conversation:
    """A process that answers requests one after the other, until it is closed or its deadline has come."""

    def __init__(self, process: asyncio.subprocess.Process, command: Command) -> None:
        self._process = process
        self._command = command
        self._unread = 0
        self._forgotten = weakref.finalize(self, _kill_forgotten, process)

    @classmethod
    async def start(cls, command: Command) -> Self:
        """A running process; whoever starts it closes it."""
        return cls(await _started(command, asyncio.subprocess.PIPE), command)

    async def close(self) -> None:
        """Ends the process."""
        self._forgotten.detach()
        await _end(self._process)

    async def ask(self, line: str) -> str:
        """The first line of the answer, once the rest of the answer before was skipped."""
        while self._unread:
            await self._read()
        try:
            await self._timed(_send(_pipe(self._process.stdin), line.encode() + b"\n"))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._broken() from error
        answer = await self._timed(_pipe(self._process.stdout).readline())
        if not answer.endswith(b"\n"):
            raise self._broken()
        return answer[:-1].decode("utf-8", "replace")

    async def body(self, size: int) -> AsyncIterator[bytes]:
        """The `size` bytes that follow, in chunks; the line end behind them is read as well."""
        self._unread = size + 1
        while self._unread:
            chunk = await self._read()
            if not self._unread:
                chunk = chunk[:-1]
            if chunk:
                yield chunk

    async def _read(self) -> bytes:
        chunk = await self._timed(_pipe(self._process.stdout).read(min(self._unread, _CHUNK)))
        if not chunk:
            raise self._broken()
        self._unread -= len(chunk)
        return chunk

    def _broken(self) -> GitError:
        return GitError(f"{self._command.about}: git ended in the middle of an answer")

    async def _timed(self, awaitable: Awaitable[T]) -> T:
        return await _in_time(awaitable, self._command)


def disk_usage(folder: Path) -> int:
    """Bytes of all files below a folder that may change meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(place) / name).lstat().st_size
    return total


async def _started(command: Command, stdin: int) -> asyncio.subprocess.Process:
    bounds = (str(command.limits.memory // 1024), str(command.limits.disk // _BLOCK + 1))
    return await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", _BOUNDED, "sh", *bounds, *command.arguments),
        cwd=command.folder,
        env=dict(command.environment),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kills the process and all that it started, and collects what is left, also while being cancelled."""
    _kill(process)
    interrupted: asyncio.CancelledError | None = None
    for _ in range(_INTERRUPTIONS):
        try:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_ENDING_SECONDS):
                    await process.communicate()
            break
        except asyncio.CancelledError as error:  # the kernel needs only a moment more
            interrupted = error
    if interrupted is not None:
        raise interrupted


def _kill(process: asyncio.subprocess.Process) -> None:
    """Ends the whole group, ssh and index-pack included."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _kill_forgotten(process: asyncio.subprocess.Process) -> None:
    """For a conversation that nobody closed; by now the number may mean another process."""
    if process.returncode is None:
        _kill(process)


async def _in_time(awaitable: Awaitable[T], command: Command) -> T:
    try:
        async with asyncio.timeout_at(command.deadline):
            return await awaitable
    except TimeoutError as error:
        raise TimedOutError(
            f"{command.about}: git took longer than its time and was ended"
        ) from error


async def _talk(
    process: asyncio.subprocess.Process, command: Command, stdin: bytes
) -> tuple[bytes, str]:
    """Both outputs while the input is fed; nothing is left running when one of the three fails."""
    out = asyncio.ensure_future(_read_bounded(process, command))
    err = asyncio.ensure_future(_read_stderr(process))
    fed = asyncio.ensure_future(_feed(process, stdin))
    try:
        await asyncio.gather(out, err, fed)
        return out.result(), err.result()
    finally:
        for task in (out, err, fed):
            task.cancel()
        await asyncio.gather(out, err, fed, return_exceptions=True)


async def _watched(work: Coroutine[Any, Any, T], command: Command) -> T:
    """Awaits `work` while the folder stays within its bound."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=_WATCH_SECONDS))[0]:
            if disk_usage(command.folder) > command.limits.disk:
                raise _too_large(command, "disk", command.limits.disk)
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _read_bounded(process: asyncio.subprocess.Process, command: Command) -> bytes:
    read = bytearray()
    while chunk := await _pipe(process.stdout).read(_CHUNK):
        read += chunk
        if len(read) > command.limits.listing:
            raise _too_large(command, "output", command.limits.listing)
    return bytes(read)


async def _read_stderr(process: asyncio.subprocess.Process) -> str:
    """The first bytes; the rest is read and dropped, or git would wait for us."""
    kept = bytearray()
    while chunk := await _pipe(process.stderr).read(_CHUNK):
        kept += chunk[: _STDERR_KEPT - len(kept)]
    return kept.decode("utf-8", "replace")


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    """A process that ends without reading everything says why with its exit."""
    writer = process.stdin
    if writer is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        await _send(writer, data)
    writer.close()


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    if writer.is_closing():  # uvloop has an error of another kind for this
        raise BrokenPipeError
    writer.write(data)
    await writer.drain()


def _too_large(command: Command, what: str, limit: int) -> TooLargeError:
    return TooLargeError(f"{command.about}: more {what} than the limit of {limit} bytes")


def _pipe(stream: T | None) -> T:
    if stream is None:  # pragma: no cover - all three are asked for at the start
        raise AssertionError("a process without its pipes")
    return stream
