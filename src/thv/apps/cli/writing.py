"""Where a command writes what is too large for a screen: a file that is there whole or not at all, or the output.

In the flow: last step of `export`, `convert`, `migrate` and `backup`.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from thv.apps.cli.console import Console, safe_json
from thv.domain.errors import Code, ThvError

STDOUT = "-"
_MODE = 0o666


def write_out(console: Console, place: str, pieces: Iterable[bytes]) -> int:
    """Writes the pieces to a file, or to the output when the place is `-` or empty; how many bytes."""
    if place in ("", STDOUT):
        return _to_output(console, pieces)
    return write_file(Path(place), pieces)


def write_file(path: Path, pieces: Iterable[bytes], *, mode: int | None = None) -> int:
    """Writes beside the file and renames, so that nobody ever sees a part of it; how many bytes."""
    target = path.resolve() if path.is_symlink() else path
    require_writable(target)
    try:
        return _replaced(target, pieces, _mode_of(target) if mode is None else mode)
    except OSError as error:
        raise unwritable(path, error) from error


def require_writable(path: Path) -> None:
    """Raises before any work is done when the file cannot be written."""
    if path.is_dir():
        raise ThvError(Code.INVALID, f'"{path}" is a folder', hint="Name a file in it.")
    if not path.absolute().parent.is_dir():
        raise ThvError(
            Code.PATH_NOT_FOUND,
            f'cannot write "{path}": there is no folder "{path.absolute().parent}"',
            hint=f"mkdir -p {path.absolute().parent}",
        )


def unwritable(path: Path, error: OSError) -> ThvError:
    """What the operating system said about a file that was to be written."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    code = Code.STORE_FULL if full else Code.FORBIDDEN
    return ThvError(
        code,
        f'cannot write "{path}": {error.strerror or error}',
        hint="What was there is unchanged.",
    )


def _replaced(target: Path, pieces: Iterable[bytes], mode: int) -> int:
    if target.exists() and not target.is_file():  # a pipe or a device keeps its name
        with target.open("wb") as special:
            return sum(special.write(piece) for piece in pieces)
    descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            size = sum(file.write(piece) for piece in pieces)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(draft).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(draft).unlink()
        raise
    return size


def _mode_of(path: Path) -> int:
    """As the file is, or as a new one would be."""
    if path.exists():
        return path.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return _MODE & ~mask


def _to_output(console: Console, pieces: Iterable[bytes]) -> int:
    """Byte for byte into a pipe; at a terminal nothing that it would obey."""
    raw = None if console.out_terminal else getattr(console.out, "buffer", None)
    console.out.flush()
    size = 0
    for piece in pieces:
        size += len(piece)
        if raw is not None:
            raw.write(piece)
        elif console.out_terminal:
            console.data(safe_json(piece.decode()))
        else:
            console.data(piece.decode())
    return size
