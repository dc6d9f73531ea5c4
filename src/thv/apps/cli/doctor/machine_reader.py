"""Reads this machine: program, data folder, store, lock, port, git. It writes nothing.

In the flow: the reader under the verdicts of `machine`. Whatever may block for ever is looked at aside.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from thv.apps.cli.doctor.content import Seen, seen_of
from thv.apps.cli.doctor.machine import Folder, GitFound, Lock, Port, Program, Store
from thv.apps.cli.doctor.plan import aside
from thv.apps.cli.wiring import Clock, Local
from thv.apps.kit.home import Home
from thv.domain.resources import MCP_REGISTRY
from thv.stores.resources.sqlite import MIGRATIONS

_MAGIC = b"SQLite format 3\0"
_VERSION = slice(60, 64)
"""Where a file of SQLite has its `user_version`: read so, the file is neither locked nor made."""
_PID = re.compile(r"\(pid (\d+)\)")
_NUMBER = re.compile(r"\d+")
_GIT_SECONDS = 5.0
_MANY = 1 << 20
"""Files, where a file system has no bound of them."""


def program_of(argv0: str, search_path: str) -> Program:
    """What runs, and what the shell would run under the same name."""
    own = Path(argv0).absolute() if os.sep in argv0 else Path(shutil.which(argv0) or argv0)
    found = shutil.which(own.name, path=search_path)
    is_other = found is not None and not _is_same(Path(found), own)
    major, minor, micro = sys.version_info[:3]
    return Program(
        python=(major, minor, micro), path=str(own), other=str(found) if is_other else ""
    )


def _is_same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return False


class Machine:
    """A data folder and what is around it."""

    def __init__(self, home: Home, clock: Clock, environ: Mapping[str, str]) -> None:
        self._home = home
        self._clock = clock
        self._search_path = environ.get("PATH", os.defpath)
        self._host = environ.get("THV_HOST") or "127.0.0.1"
        self._port = environ.get("THV_PORT") or "8080"
        self._registries: asyncio.Task[tuple[Seen, ...]] | None = None

    async def folder(self) -> Folder:
        """The folder, or where it is going to be."""
        return await aside(_folder, self._home.root)

    async def store(self) -> Store:
        """The file of resources, by its first bytes."""
        return await aside(_store, self._home.store)

    async def lock(self) -> Lock:
        """Who holds the folder."""
        return await aside(_lock, self._home.root / "loop.lock")

    async def port(self) -> Port:
        """Whether the port of `thv serve` is free."""
        number = int(self._port) if self._port.isdecimal() else 0
        taken = await aside(_is_taken, self._host, number)
        address = f"{self._host}:{self._port}"
        return Port(address=address, taken=taken, serving=(await self.lock()).held)

    async def git(self) -> GitFound:
        """The git that sources would use."""
        path = shutil.which("git", path=self._search_path) or ""
        version = await aside(_git_version, path) if path else ()
        with_git = any(each.type == "git" for each in await self.registries())
        return GitFound(path=path, version=version, needed=with_git)

    async def registries(self) -> tuple[Seen, ...]:
        """All of the folder; read once."""
        if self._registries is None:
            self._registries = asyncio.ensure_future(aside(self._read))
        return await asyncio.shield(self._registries)

    def _read(self) -> tuple[Seen, ...]:
        if not self._home.store.is_file():
            return ()
        return asyncio.run(self._listed())

    async def _listed(self) -> tuple[Seen, ...]:
        local = Local(home=self._home, clock=self._clock)
        try:
            return tuple(map(seen_of, (await local.resources.list(MCP_REGISTRY)).items))
        finally:
            await local.close()


def _folder(path: Path) -> Folder:
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    found, room = there.stat(), os.statvfs(there)
    return Folder(
        path=str(path),
        state="there" if path.is_dir() else "no folder" if path.exists() else "absent",
        parent=str(there),
        owner=_owner(found.st_uid),
        owned=found.st_uid == os.geteuid(),
        writable=os.access(there, os.W_OK | os.X_OK) and there.is_dir(),
        mode=found.st_mode & 0o777,
        free=room.f_bavail * room.f_frsize,
        nodes=room.f_favail if room.f_files else _MANY,
    )


def _owner(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def _store(path: Path) -> Store:
    known = len(MIGRATIONS)
    if not path.exists():
        return Store(path=str(path), state="absent", known=known)
    with path.open("rb") as file:
        head = file.read(100)
    if head and not head.startswith(_MAGIC):
        return Store(path=str(path), state="no database", known=known)
    return Store(path=str(path), schema=int.from_bytes(head[_VERSION], "big"), known=known)


def _lock(path: Path) -> Lock:
    """Asks for a share of the lock, which whoever holds it does not notice."""
    if not path.exists():
        return Lock(path=str(path))
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            said = file.read(200).decode(errors="replace")
        else:
            return Lock(path=str(path))
    pid = _PID.search(said)
    number = int(pid[1]) if pid else 0
    return Lock(path=str(path), held=True, note=said, pid=number, state=_state(number))


def _state(pid: int) -> str:
    """R where the system does not tell more than that it is there."""
    if not pid:
        return ""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "R"


def _is_taken(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _git_version(path: str) -> tuple[int, ...]:
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(  # noqa: S603 # the git that sources would use
            [path, "version"], capture_output=True, text=True, check=False, timeout=_GIT_SECONDS
        )
        return tuple(int(number) for number in _NUMBER.findall(said.stdout)[:3])
    return ()
