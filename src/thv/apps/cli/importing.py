"""Puts the entries of a document into a registry that keeps entries of its own.

In the flow: behind `thv registry import`. Such a registry reads a ConfigMap, or a document in the data folder that
this module writes, the only place where its entries are; whatever reads another source is refused. Old and new
entries are merged in the order of their keys, two at a time, so that a document of any size takes no memory.
"""

from __future__ import annotations

import base64
import tempfile
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from thv.apps.cli.carrying import own_config_map
from thv.apps.cli.documents import Paper
from thv.apps.cli.exits import CommandError
from thv.apps.cli.progress import ProgressLine
from thv.apps.cli.registries import Shelf, path_of
from thv.apps.cli.session import Session
from thv.apps.cli.staging import fill
from thv.apps.cli.verbs import MANAGER
from thv.apps.cli.writing import write_file
from thv.apps.kit.home import import_path
from thv.domain.canonical import JsonObject
from thv.domain.entry import OFFICIAL_META
from thv.domain.errors import Code, ThvError
from thv.domain.registry import ConfigMapSource, SourceType, load_registry
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY
from thv.domain.times import render_time
from thv.stores.mirrors.base import Mirror, MirrorRow, Problem
from thv.stores.mirrors.sqlite import SqliteMirrors

CONFIG_MAP_LIMIT = 900 * 1024
_MODE = 0o600
_PACKED_KEY = "registry.json.gz"


class Imported(msgspec.Struct, kw_only=True):
    """What an import did, or would do."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: int = 0
    problems: tuple[Problem, ...] = ()


def require_own_entries(shelf: Shelf) -> None:
    """Raises CONFLICT when the entries of the registry come from elsewhere, so that a sync would undo an import."""
    source = shelf.registry.spec.source
    own = import_path(shelf.namespace, shelf.name)
    if source.type is SourceType.CONFIGMAP or path_of(shelf.registry) == own:
        return
    raise CommandError(
        Code.CONFLICT,
        f"{shelf.title} takes its entries from a source of type {source.type.value}",
        cause="its next sync would undo an import",
        tries=[
            "import into another registry: --registry OTHER",
            shelf.command("registry", "show", shelf.name),
        ],
    )


async def put_entries(
    session: Session,
    name: str,
    target: Shelf | None,
    paper: Paper,
    *,
    replace: bool,
    strict: bool,
    dry_run: bool,
) -> Imported:
    """Writes old and new entries as the document of the registry; `replace` drops the old ones."""
    home = session.local.home.make()
    own = home.import_of(session.namespace, name)
    config_map = _config_map_of(session, name, target)
    with (
        tempfile.TemporaryDirectory(prefix="import-", dir=home.root) as scratch,
        _mirrors(Path(scratch)) as mirrors,
    ):
        new, old = mirrors.open("new"), mirrors.open("old")
        at = render_time(session.local.clock())
        fill(new, paper, at, ProgressLine(session.console, paper.title))
        done = _begun(new, strict=strict, title=paper.title)
        before = await _before(session, target, own, Path(scratch))
        if before is not None:
            fill(old, before, at, ProgressLine(session.console, name))
        pieces = _document(_merged(old, new, done, replace=replace))
        if dry_run:
            deque(pieces, maxlen=0)
        elif config_map is not None:
            await _put_config_map(session, config_map, pieces)
        else:
            _put_file(own, pieces)
    return done


def _config_map_of(session: Session, name: str, target: Shelf | None) -> ConfigMapSource | None:
    """Where the entries are, if not in a file of this machine."""
    if target is not None:
        return target.registry.spec.source.config_map
    if not session.settings.on_cluster:
        return None
    return ConfigMapSource(name=own_config_map(name), key=_PACKED_KEY)


def _own_source(session: Session, name: str) -> JsonObject:
    """The source of a new registry with imported entries."""
    place = _config_map_of(session, name, None)
    if place is None:
        return {"type": "file", "file": {"path": import_path(session.namespace, name)}}
    return {"type": "configmap", "configMap": {"name": place.name, "key": place.key}}


async def store_registry(session: Session, name: str, annotations: JsonObject) -> Shelf:
    """A new registry whose entries are those that were imported."""
    manifest: JsonObject = {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "metadata": {
            "name": name,
            "namespace": session.namespace,
            "annotations": annotations,
        },
        "spec": {"source": _own_source(session, name)},
    }
    obj = await session.place.resources.apply(manifest, manager=MANAGER)
    return Shelf(obj=obj, registry=load_registry(obj), place=session.place, program=session.program)


async def check_name(session: Session, name: str) -> None:
    """Raises INVALID, before anything is written, for a name that no registry may have."""
    manifest: JsonObject = {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "metadata": {"name": name, "namespace": session.namespace},
        "spec": {"source": _own_source(session, name)},
    }
    await session.place.resources.apply(manifest, manager=MANAGER, dry_run=True)


def _begun(new: Mirror, *, strict: bool, title: str) -> Imported:
    state = new.state()
    if strict and state.rejected:
        first = [f"{problem.place}: {problem.reason}" for problem in state.problems[:10]]
        raise CommandError(
            Code.FORMAT_INVALID,
            f"{state.rejected} of {state.read} items of {title} are no entries, so nothing was imported",
            cause="; ".join(first),
            tries=["correct them, or leave out --strict to skip them"],
            details={"problems": msgspec.to_builtins(state.problems)},
        )
    read = state.read - state.rejected
    return Imported(read=read, skipped=state.rejected, problems=state.problems)


async def _before(session: Session, target: Shelf | None, own: Path, scratch: Path) -> Paper | None:
    """The document as it is now."""
    config_map = target.registry.spec.source.config_map if target else None
    if config_map is None:
        return _paper_of(own) if target is not None else None
    try:
        obj = await session.place.resources.get(CONFIG_MAP, session.namespace, config_map.name)
    except ThvError as error:
        if error.code is Code.NOT_FOUND:
            return None
        raise
    held = (obj.get("data") or {}).get(config_map.key, "").encode()
    packed = (obj.get("binaryData") or {}).get(config_map.key, "")
    if not held and not packed:
        return None
    copy = scratch / f"before{''.join(Path(config_map.key).suffixes)}"
    copy.write_bytes(held or base64.b64decode(packed))
    return Paper(copy, f"configmap/{config_map.name}")


def _paper_of(own: Path) -> Paper | None:
    return Paper(own, str(own)) if own.exists() else None


def _put_file(own: Path, pieces: Iterator[bytes]) -> None:
    own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_file(own, pieces, mode=_MODE)


async def _put_config_map(
    session: Session, place: ConfigMapSource, pieces: Iterator[bytes]
) -> None:
    content = _bounded(place, pieces)
    patch: JsonObject = (
        {"binaryData": {place.key: base64.b64encode(content).decode()}}
        if place.key.endswith(".gz")
        else {"data": {place.key: content.decode()}}
    )
    try:
        await session.place.resources.merge(
            CONFIG_MAP, session.namespace, place.name, patch, manager=MANAGER
        )
    except ThvError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        metadata = {"name": place.name, "namespace": session.namespace}
        await session.place.resources.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **patch},
            manager=MANAGER,
        )


def _bounded(place: ConfigMapSource, pieces: Iterator[bytes]) -> bytes:
    """The document as the ConfigMap keeps it, compressed where its key says so."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31) if place.key.endswith(".gz") else None
    content = bytearray()
    for piece in pieces:
        content += squeeze.compress(piece) if squeeze else piece
        if len(content) > CONFIG_MAP_LIMIT:
            raise CommandError(
                Code.SIZE_LIMIT_EXCEEDED,
                f"the entries do not fit into the ConfigMap {place.name} (at most {CONFIG_MAP_LIMIT // 1024} KiB)",
                tries=["import into another registry: --registry OTHER"],
            )
    return bytes(content + squeeze.flush() if squeeze else content)


@contextmanager
def _mirrors(folder: Path) -> Iterator[SqliteMirrors]:
    mirrors = SqliteMirrors(folder)
    try:
        yield mirrors
    finally:
        mirrors.close()


def _merged(old: Mirror, new: Mirror, done: Imported, *, replace: bool) -> Iterator[MirrorRow]:
    """The rows of both in key order; of a key that both have, the new one."""
    lefts, rights = _rows(old), _rows(new)
    left, right = next(lefts, None), next(rights, None)
    while left is not None or right is not None:
        if right is None or (left is not None and _key(left) < _key(right)):
            assert left is not None  # noqa: S101 # by the condition
            if replace:
                done.removed += 1
            else:
                yield left
            left = next(lefts, None)
            continue
        if left is None or _key(right) < _key(left):
            done.created += 1
        else:
            same = left.digest == right.digest
            done.unchanged, done.updated = done.unchanged + same, done.updated + (not same)
            left = next(lefts, None)
        yield right
        right = next(rights, None)


def _rows(mirror: Mirror) -> Iterator[MirrorRow]:
    for rows in mirror.names():
        yield from rows


def _key(row: MirrorRow) -> tuple[bytes, bytes]:
    return row.name.encode(), row.version.encode()


def _document(rows: Iterator[MirrorRow]) -> Iterator[bytes]:
    """A page of the official API, an entry a line."""
    yield b'{"servers":['
    count = 0
    for row in rows:
        yield (b",\n" if count else b"\n") + _item(row)
        count += 1
    yield b'\n],"metadata":{"count":%d}}\n' % count


def _item(row: MirrorRow) -> bytes:
    """The entry with the times that its source gave it."""
    said: dict[str, Any] = {
        "publishedAt": row.published_at,
        "updatedAt": row.updated_at,
        "isLatest": row.marked_latest,
    }
    said = {key: value for key, value in said.items() if value}
    content = bytes(row.content)
    if not said:
        return content
    entry = msgspec.json.decode(content)
    meta = entry.get("_meta") or {}
    official = {"status": "active", **(meta.get(OFFICIAL_META) or {}), **said}
    return msgspec.json.encode({**entry, "_meta": {**meta, OFFICIAL_META: official}})
