"""The files of a model in its folder, and the one swap that makes another one current.

In the flow: `apply` builds beside what is served and then swaps; readers follow `current`. A build is a folder
of its own, because the files of an open database belong together; what nobody points to is removed by the next
writer.

    current          the name of the folder that is served
    lock             held while somebody writes
    7/model.db       rows and indexes        7/official, 7/toolhive   the bodies, one after the other
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thv.domain.errors import Code, ThvError

DATABASE = "model.db"
OFFICIAL = "official"
TOOLHIVE = "toolhive"
_CACHE_KIB = 1024


class Folder:
    """The folder of one registry's model."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def current(self) -> Path | None:
        """The build that is served, None before the first one."""
        try:
            name = (self.path / "current").read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        build = self.path / name
        return build if name.isdigit() and (build / DATABASE).exists() else None

    def begin(self) -> Path:
        """An empty folder for the next build."""
        taken = [int(path.name) for path in self._builds()]
        build = self.path / str(max(taken, default=0) + 1)
        build.mkdir(mode=0o700)
        return build

    def swap(self, build: Path) -> None:
        """Makes a finished build the current one; a crash leaves the old or the new one, never none."""
        for name in (DATABASE, OFFICIAL, TOOLHIVE):
            flush(build / name)
        flush(build)
        pointer = self.path / "current.new"
        pointer.write_text(build.name, encoding="ascii")
        flush(pointer)
        pointer.replace(self.path / "current")
        flush(self.path)

    def clean(self) -> None:
        """Removes every build but the current one; those who still read them have them open."""
        current = self.current()
        for build in self._builds():
            if build != current:
                shutil.rmtree(build, ignore_errors=True)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One writer at a time; raises LOCKED when another process writes."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise ThvError(
                Code.LOCKED,
                f"another process writes the read model in {self.path}",
                hint="Stop the other process, or wait until it has finished.",
            ) from error
        finally:
            os.close(descriptor)

    def _builds(self) -> list[Path]:
        return [path for path in self.path.iterdir() if path.name.isdigit()]


def connect(build: Path, *, write: bool = False) -> sqlite3.Connection:
    """A connection to the database of a build; its page cache is small, the system's is shared."""
    mode = "rwc" if write else "ro"
    connection = sqlite3.connect(
        f"{(build / DATABASE).absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=10,
    )
    try:
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def flush(path: Path) -> None:
    """What is in a file, or which files are in a folder, survives a crash of the machine."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
