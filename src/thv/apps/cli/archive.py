"""A data folder in one file: resources as they were at one moment, secrets, imports, and what registries serve.

In the flow: behind `thv backup` and `thv restore`. Everything else in a data folder is derived and is made again by
the next sync. An archive is checked whole before anything is changed, and what was there before is kept.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import msgspec

from thv import __version__
from thv.apps.cli.exits import CommandError
from thv.apps.kit.home import Home
from thv.domain.errors import Code, ThvError
from thv.stores.resources.sqlite import SqliteStore

FORMAT = 1
_INDEX = "backup.json"
_STORE = "store.db"
_MEMBER = re.compile(
    r"store\.db|allowed-hosts|tokens\.yaml|secrets/[A-Za-z0-9._-]+"
    r"|(?:snapshots|imports)/[A-Za-z0-9._-]+/[A-Za-z0-9._-]+"
)
_DERIVED = ("models", "mirrors", "selections", "git", "files", "completion.json")
_TRIES = 5
_PIECE = 1 << 20


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """The first member of an archive."""

    format: int
    created: str
    version: str
    files: dict[str, str]
    """sha256 of each member, by name."""


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive holds, for people."""

    created: str
    version: str
    objects: dict[str, int]
    """Number of resources, by kind."""
    files: int


def write_archive(home: Home, target: IO[bytes], scratch: Path, created: str) -> Contents:
    """Writes the archive of a data folder; other processes may go on with it meanwhile."""
    members = _gathered(home, scratch)
    digests = {name: _digest(path) for name, path in members.items()}
    index = Index(format=FORMAT, created=created, version=__version__, files=digests)
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=6) as tar:
        _add_bytes(tar, _INDEX, msgspec.json.format(msgspec.json.encode(index), indent=2))
        for name, path in members.items():
            with path.open("rb") as file:
                tar.addfile(_info(name, path.stat().st_size), file)
    return _contents(index, scratch / _STORE)


def unpack_archive(source: Path, folder: Path) -> Contents:
    """Unpacks into an empty folder; raises FORMAT_UNSUPPORTED for what is no such archive, or a damaged one."""
    try:
        with tarfile.open(source, mode="r:gz") as tar:
            index = _index(tar, source)
            _require_known(index, source)
            for member in tar:
                _unpack(tar, member, folder, index, source)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _no_archive(source, str(error)) from error
    missing = [name for name in index.files if not (folder / name).exists()]
    if missing:
        raise _no_archive(source, f"{missing[0]} is missing in it")
    _open_once(folder)
    return _contents(index, folder / _STORE)


def put_in_place(unpacked: Path, home: Home, aside: Path) -> list[str]:
    """Moves what is there to the folder `aside`, and what was unpacked into its place; names what was moved."""
    names = [*{name.split("/")[0] for name in _names(unpacked)}, *_DERIVED, "secrets", "snapshots"]
    names.append("imports")
    names += [f"{_STORE}-wal", f"{_STORE}-shm", _STORE, "allowed-hosts", home.tokens.name]
    moved = []
    for name in sorted(set(names)):
        if (home.root / name).exists():
            aside.mkdir(mode=0o700, exist_ok=True)
            (home.root / name).rename(aside / name)
            moved.append(name)
    for path in sorted(unpacked.iterdir()):
        path.rename(home.root / path.name)
    return moved


# Writing ---------------------------------------------------------------------------------------------------


def _gathered(home: Home, scratch: Path) -> dict[str, Path]:
    """Copies of all that belongs together, by name; begins anew when something was replaced meanwhile."""
    for _ in range(_TRIES):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        _copy_store(home.store, scratch / _STORE)
        try:
            for name in _wanted(scratch / _STORE, home):
                (scratch / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(home.root / name, scratch / name)
        except FileNotFoundError:
            continue
        return {name: scratch / name for name in _names(scratch)}
    raise ThvError(
        Code.LOCKED,
        "the data folder changed at every try to save it",
        hint="Try again in a moment.",
    )


def _copy_store(store: Path, copy: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(store)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise ThvError(Code.STORE_UNAVAILABLE, f"cannot read {store}: {error}") from error


def _wanted(store: Path, home: Home) -> Iterator[str]:
    """What the resources refer to: secrets and chunks."""
    with closing(sqlite3.connect(store)) as connection:
        secrets = connection.execute(
            "SELECT secret_file FROM objects WHERE secret_file IS NOT NULL"
        )
        yield from (f"secrets/{name}" for (name,) in secrets.fetchall())
        objects = connection.execute("SELECT uid FROM objects WHERE resource LIKE 'mcpregistries%'")
        uids = [uid for (uid,) in objects.fetchall()]
    for uid in uids:
        folder = home.snapshots / uid
        if folder.is_dir():
            yield from (
                f"snapshots/{uid}/{path.name}"
                for path in sorted(folder.iterdir())
                if _MEMBER.fullmatch(f"snapshots/{uid}/{path.name}")
                and not path.name.startswith(".")
            )
    for path in sorted(home.imports.glob("*/*.json")):
        yield str(path.relative_to(home.root))
    if home.allowed_hosts.exists():
        yield "allowed-hosts"
    if home.tokens.exists():
        yield home.tokens.name


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    tar.addfile(_info(name, len(content)), io.BytesIO(content))


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


# Reading ---------------------------------------------------------------------------------------------------


def _index(tar: tarfile.TarFile, source: Path) -> Index:
    first = tar.next()
    file = tar.extractfile(first) if first is not None and first.name == _INDEX else None
    if file is None:
        raise _no_archive(source, f"it does not begin with {_INDEX}")
    try:
        return msgspec.json.decode(file.read(64 << 20), type=Index)
    except msgspec.DecodeError as error:
        raise _no_archive(source, str(error)) from error


def _require_known(index: Index, source: Path) -> None:
    if index.format > FORMAT:
        raise ThvError(
            Code.FORMAT_UNSUPPORTED,
            f'"{source}" was written by thv {index.version}, which this version cannot read',
            hint="Use that version or a newer one.",
        )


def _unpack(
    tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, index: Index, source: Path
) -> None:
    if member.name == _INDEX:
        return
    file = tar.extractfile(member) if member.isreg() else None
    known = _MEMBER.fullmatch(member.name) and member.name in index.files
    if file is None or not known or "/.." in member.name:
        raise _no_archive(source, f"it holds {member.name!r}, which does not belong there")
    target = folder / member.name
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with target.open("wb") as new:
        new.truncate()
        target.chmod(0o600)
        shutil.copyfileobj(file, new, _PIECE)
    if _digest(target) != index.files[member.name]:
        raise _no_archive(source, f"{member.name} is damaged")


def _open_once(folder: Path) -> None:
    """Opens the store as a command would, which also brings it to the schema of this version."""
    store = SqliteStore(folder / _STORE, folder / "secrets")
    store._backend.close()  # noqa: SLF001 # closing it properly needs a loop, and there is nothing to tell anybody


def _contents(index: Index, store: Path) -> Contents:
    with closing(sqlite3.connect(store)) as connection:
        rows = connection.execute("SELECT resource, count(*) FROM objects GROUP BY resource")
        objects = {resource.partition(".")[0]: count for resource, count in rows.fetchall()}
    return Contents(
        created=index.created, version=index.version, objects=objects, files=len(index.files)
    )


def _names(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(folder)) for path in files)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _no_archive(source: Path, why: str) -> CommandError:
    return CommandError(
        Code.FORMAT_UNSUPPORTED,
        f'"{source}" is no backup of thv, or a damaged one',
        cause=why,
        tries=["backups are made by: thv backup"],
    )
