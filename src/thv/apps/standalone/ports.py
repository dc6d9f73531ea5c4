"""Binds the port of the process, and says who may hold it when it is taken.

In the flow: first thing the process does, before anything is opened.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from thv.apps.kit.http.serve import listening
from thv.domain.errors import Code, ThvError

_PROC = Path("/proc")
_LISTENS = "0A"


def bound(host: str, port: int, *, again: str) -> socket.socket:
    """A listening socket; raises with what to do when that is not possible. `again` is the command with another port."""
    try:
        listener = listening(host, port)
        try:
            listener.listen(2048)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise _refused(error, host, port, again) from error
    return listener


def _refused(error: OSError, host: str, port: int, again: str) -> ThvError:
    if error.errno == errno.EADDRINUSE:
        return ThvError(
            Code.CONFLICT,
            f"port {port} of {host} is taken by {holder(port) or 'another process'}",
            hint=f"{again}\nor end the other one",
        )
    if error.errno == errno.EACCES:
        return ThvError(
            Code.FORBIDDEN, f"port {port} needs more rights than this process has", hint=again
        )
    return ThvError(
        Code.INVALID,
        f"cannot listen on {host}:{port}: {error.strerror or error}",
        hint="Name an address of this machine, such as 127.0.0.1:8080.",
    )


def holder(port: int, proc: Path = _PROC) -> str:
    """The process that listens on a port, as far as we may see: `python3 (pid 4711)`."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError):
            if wanted & _sockets(folder):
                return f"{_name(folder)} (pid {folder.name})"
    return ""


def _inodes(port: int, proc: Path) -> Iterator[str]:
    """The sockets that listen on a port, from lines like `0: 0100007F:1F90 00000000:0000 0A ...`."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (proc / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _sockets(folder: Path) -> set[str]:
    return {os.readlink(entry.path) for entry in os.scandir(folder / "fd")}  # noqa: PTH115 # plain text


def _name(folder: Path) -> str:
    words = (folder / "cmdline").read_bytes().split(b"\0")
    names = [Path(word.decode(errors="replace")).name for word in words if word]
    if len(names) > 1 and names[0].startswith("python") and not names[1].startswith("-"):
        return names[1]
    return names[0] if names else "a process"
