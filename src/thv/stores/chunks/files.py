"""Chunks as files: `<root>/<registry uid>/<first 16 hex digits of the digest>.jsonl.gz`.

In the flow: the chunk store of the one-machine shape. A chunk appears whole or not at all: it is written under
another name, made durable, then renamed.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from pathlib import Path
from typing import Literal

from thv.domain.errors import Code, ThvError
from thv.domain.snapshot import Chunk, ChunkRef, unpack
from thv.stores.chunks.base import Owner, StoredChunk, chunk_name

_SUFFIX = ".jsonl.gz"


class FileChunkStore:
    """Keeps chunks below one folder, which it makes with mode 0700."""

    kind: Literal["configmap", "file"] = "file"

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, owner: Owner, chunk: Chunk) -> ChunkRef:
        """Durable when it returns; a chunk that is there already is left alone."""
        ref = chunk.ref(chunk_name(owner, chunk.digest))
        path = self._path(owner, ref.name)
        if not path.exists():
            await asyncio.to_thread(_write, path, chunk.packed)
        return ref

    async def get(self, owner: Owner, ref: ChunkRef) -> bytes:
        """The unpacked, checked bytes."""
        path = self._path(owner, ref.name)
        try:
            packed = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError as error:
            raise _missing(ref, path) from error
        except OSError as error:
            raise _unavailable(path, error) from error
        return unpack(packed, ref)

    async def list(self, owner: Owner) -> list[StoredChunk]:
        """Every chunk file of this registry."""
        folder = self._root / owner.uid
        if not folder.is_dir():
            return []
        prefix = f"{owner.name}-s-"
        return [
            StoredChunk(prefix + entry.name.removesuffix(_SUFFIX), entry.stat().st_mtime)
            for entry in os.scandir(folder)
            if entry.name.endswith(_SUFFIX)
        ]

    async def delete(self, owner: Owner, name: str) -> None:
        """Removes a chunk file; a missing one is no error."""
        self._path(owner, name).unlink(missing_ok=True)

    async def forget(self, uid: str) -> None:
        """Removes everything of a registry that is gone."""
        await asyncio.to_thread(shutil.rmtree, self._root / uid, ignore_errors=True)

    def uids(self) -> set[str]:
        """The registries that have chunks here."""
        return {path.name for path in self._root.iterdir()} if self._root.is_dir() else set()

    def _path(self, owner: Owner, name: str) -> Path:
        return self._root / owner.uid / (name.rpartition("-")[2] + _SUFFIX)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Listed like a chunk: what a killed process left behind is collected with the old ones.
    draft = path.with_name(f"{path.name.removesuffix(_SUFFIX)}.{os.getpid()}{_SUFFIX}")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _unavailable(path, error) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _missing(ref: ChunkRef, path: Path) -> ThvError:
    return ThvError(
        Code.SNAPSHOT_DAMAGED,
        f"chunk {ref.name} is missing ({path})",
        hint="Sync it with --force; until then the content that was loaded last is served.",
    )


def _unavailable(path: Path, error: OSError) -> ThvError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ThvError(
            Code.STORE_FULL,
            f"no space left for {path}",
            hint="Free space, or move the data folder (THV_DATA); what was served stays served.",
        )
    return ThvError(
        Code.STORE_UNAVAILABLE,
        f"cannot use {path}: {error.strerror}",
        hint="Check owner and mode of the folder.",
    )
