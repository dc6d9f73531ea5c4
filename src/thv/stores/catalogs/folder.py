"""The folder in which a process keeps its catalog, for as long as it runs.

In the flow: made when a process begins to serve. A process that was killed leaves its folder behind; the next one that
comes along removes it, which the lock of a living one forbids.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = "lock"


@contextmanager
def working_folder(parent: Path) -> Iterator[Path]:
    """An empty folder below `parent` that nobody else uses, until the context ends."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(parent):
        _clean(parent)
        folder = Path(tempfile.mkdtemp(dir=parent))
        lock = _locked(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


@contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """A folder that was made and has no lock yet looks as if it were left behind."""
    with (parent / _LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _clean(parent: Path) -> None:
    for folder in parent.iterdir():
        lock = _locked(folder) if folder.is_dir() else None
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """The lock, None while another process holds it, or when the folder has just gone."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
