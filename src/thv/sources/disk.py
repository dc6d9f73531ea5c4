"""Files of this machine below allowed folders: found without leaving them, read in one state or not at all.

In the flow: under the source of kind `file`.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

from thv.domain.errors import Code, ThvError
from thv.sources.folder import nearest, quoted

_PIECE = 1024 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_NAMES = 200_000


class Place(NamedTuple):
    """A path without links, and the allowed folder that it lies below."""

    root: Path
    path: Path


Open: TypeAlias = Callable[[Place], io.FileIO]


class Roots:
    """The folders that an administrator allowed."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)

    def find(self, path: Path) -> Place:
        """Where `path` really is; raises when that is nowhere, or outside of the folders."""
        if not path.is_absolute() or "\0" in str(path):
            raise ThvError(Code.PATH_NOT_FOUND, f'"{path}" is not an absolute path')
        real = _resolved(path)
        for folder in self._folders:
            root = _resolved(folder)
            if real.is_relative_to(root):
                if not real.exists():
                    raise _missing(path, Place(root, real))
                return Place(root, real)
        raise ThvError(
            Code.ADDRESS_DENIED,
            f'"{path}" is not below a folder that files may be read from',
            hint=f"such folders are: {quoted(map(str, self._folders))}",
        )

    def find_below(self, folder: Place, name: str) -> Place:
        """The same for a file of a folder that was found; quick where there is no link."""
        path = folder.path / name
        if os.path.realpath(path) == str(path):
            return Place(folder.root, path)
        return self.find(path)


def files_below(folder: Path) -> Iterator[str]:
    """The files of a folder and of the folders in it, by their relative paths."""
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count > _MOST_NAMES:
                raise ThvError(
                    Code.SIZE_LIMIT_EXCEEDED, f'the folder "{folder}" has too many names'
                )
            if not _is_folder(entry):
                yield entry.name
            elif not entry.name.startswith("."):
                below = Path(entry.path).iterdir()
                yield from (f"{entry.name}/{file.name}" for file in below)


def identity(found: os.stat_result) -> str:
    """Changes whenever the content may have."""
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


def open_below(place: Place) -> io.FileIO:
    """Opens step by step from the allowed folder, so that a link put there meanwhile is not followed."""
    *folders, name = place.path.relative_to(place.root).parts
    with contextlib.ExitStack() as opened:
        above = _opened(opened, str(place.root), None)
        for folder in folders:
            above = _opened(opened, folder, above)
        descriptor = os.open(name, _FILE, dir_fd=above)
    file = io.FileIO(descriptor, "rb", closefd=True)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise ThvError(Code.PATH_NOT_FOUND, f'"{place.path}" is neither a file nor a folder')
    return file


async def stable(place: Place, open_file: Open = open_below) -> AsyncIterator[bytes]:
    """The content of one state of the file; raises SOURCE_UNREACHABLE when it changes meanwhile."""
    try:
        small = await asyncio.to_thread(_read_small, place, open_file)
        if small is not None:
            yield small
            return
        with await asyncio.to_thread(open_file, place) as file:
            before = identity(os.fstat(file.fileno()))
            while chunk := await asyncio.to_thread(file.read, _PIECE):
                yield chunk
            if identity(os.fstat(file.fileno())) != before:
                raise _changed(place.path)
    except OSError as error:
        raise unreadable(place.path, error) from error


def unreadable(path: Path, error: OSError) -> ThvError:
    """What the operating system said about a path."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ThvError(Code.PATH_NOT_FOUND, f'"{path}" is not there any more')
    return ThvError(
        Code.SOURCE_UNREACHABLE, f'"{path}" cannot be read: {error.strerror or "no reason given"}'
    )


def _read_small(place: Place, open_file: Open) -> bytes | None:
    """A file of one piece, tried once more when it changes meanwhile; None for a larger one."""
    for _ in range(2):
        with open_file(place) as file:
            before = os.fstat(file.fileno())
            if before.st_size > _PIECE:
                return None
            content = file.read(_PIECE + 1)
            if identity(os.fstat(file.fileno())) == identity(before):
                return content
    raise _changed(place.path)


def _opened(stack: contextlib.ExitStack, name: str, above: int | None) -> int:
    descriptor = os.open(name, _FOLDER, dir_fd=above)
    stack.callback(os.close, descriptor)
    return descriptor


def _changed(path: Path) -> ThvError:
    return ThvError(
        Code.SOURCE_UNREACHABLE,
        f'"{path}" changed while it was read',
        hint="write the new content to another file and rename it to this one",
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except RuntimeError as error:  # links in a circle
        raise ThvError(Code.PATH_NOT_FOUND, f'"{path}" is a link that leads to itself') from error


def _missing(path: Path, place: Place) -> ThvError:
    """Says what there is instead, but nothing about folders above the allowed one."""
    above = next((folder for folder in place.path.parents if folder.is_dir()), place.root)
    if not above.is_relative_to(place.root):
        return ThvError(Code.PATH_NOT_FOUND, f'the folder "{place.root}" does not exist')
    missing = place.path.relative_to(above).parts[0]
    names = nearest(missing, (entry.name for entry in above.iterdir()))
    return ThvError(
        Code.PATH_NOT_FOUND,
        f'"{path}" does not exist: "{above}" has no "{missing}"',
        hint=f"the nearest names there: {quoted(names)}",
        details={"existing": list(names)},
    )
