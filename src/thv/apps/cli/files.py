"""Registries that are files: each file or folder of the registry folder is one, named after it.

In the flow: before registries are listed. The files go through the same sync as every registry, into a data folder
of their own, which is derived and may be lost; nothing here can reach the network.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from thv.apps.cli.registries import FILES, REGISTRY_SUFFIXES, path_of
from thv.apps.cli.session import Session
from thv.apps.cli.wiring import Local
from thv.domain.canonical import JsonObject, digest_of
from thv.domain.registry import Registry, load_registry
from thv.domain.resources import MCP_REGISTRY, name_of, uid_of
from thv.domain.text import object_name
from thv.sources.file import FileSource
from thv.stores.mirrors.sqlite import SqliteMirrors, SqliteSelections
from thv.sync.api import KnownApi
from thv.sync.flow import Locks, Opened, Tools
from thv.sync.reconcile import RegistryReconciler

MANAGER = "thv-files"
_NAME_LIMIT = 59


async def refresh(session: Session) -> None:
    """Makes a registry of each file, in step with it."""
    local = session.local.files
    wanted = registry_files(session.settings.registry_dir)
    for path in _namesakes(session.settings.registry_dir, wanted):
        session.console.step("note", f"{path} is left out: another file has the same name")
    known = {name_of(obj): obj for obj in (await local.resources.list(MCP_REGISTRY)).items}
    for name in known.keys() - wanted.keys():
        await _forget(local, known[name])
    for name, path in wanted.items():
        if name not in known or path_of(load_registry(known[name])) != str(path):
            await local.resources.apply(_manifest(name, path), manager=MANAGER, force=True)
    await _sync(local, wanted, session.settings.registry_dir)


def registry_files(folder: Path) -> dict[str, Path]:
    """The files and folders that are registries, by the name of the registry."""
    found: dict[str, Path] = {}
    for path in _candidates(folder):
        found.setdefault(file_registry_name(path), path.absolute())
    return found


def file_registry_name(path: Path) -> str:
    """The name of a file without its ending, made fit for a registry."""
    stem = path.name
    for suffix in REGISTRY_SUFFIXES:
        stem = stem.removesuffix(suffix)
    name = object_name(stem)
    if not name[0].isalpha():
        name = object_name(f"file-{stem}")
    return (
        name
        if len(name) <= _NAME_LIMIT
        else f"{name[:50].rstrip('-')}-{digest_of(stem.encode())[7:15]}"
    )


def _candidates(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.name.startswith(".") and (
            path.is_dir() or path.name.endswith(REGISTRY_SUFFIXES)
        ):
            yield path


def _namesakes(folder: Path, wanted: dict[str, Path]) -> list[Path]:
    return [path for path in _candidates(folder) if path.absolute() not in wanted.values()]


def _manifest(name: str, path: Path) -> JsonObject:
    return {
        "apiVersion": MCP_REGISTRY.api_version,
        "kind": MCP_REGISTRY.kind,
        "metadata": {"name": name, "namespace": FILES},
        "spec": {"source": {"type": "file", "file": {"path": str(path)}}},
    }


async def _sync(local: Local, wanted: dict[str, Path], folder: Path) -> None:
    """Looks at every file; one that did not change costs a look."""
    mirrors, selections = SqliteMirrors(local.home.mirrors), SqliteSelections(local.home.selections)
    tools = Tools(
        open_source=lambda registry: _open(registry, folder),
        mirrors=mirrors,
        selections=selections,
        chunks=local.chunks,
        taxonomy=local.taxonomy,
        clock=local.clock,
        locks=Locks(),
    )
    reconciler = RegistryReconciler(local.resources, tools, api=KnownApi())
    try:
        for name in sorted(wanted):
            await reconciler.reconcile((FILES, name), source_changed=True)
    finally:
        mirrors.close()
        selections.close()


async def _open(registry: Registry, folder: Path) -> Opened:
    source = _source(registry, folder)
    return Opened(source, digest_of(source.origin.encode())[7:39])


def _source(registry: Registry, folder: Path) -> FileSource:
    """Whoever put a link into the folder means what it leads to."""
    spec = registry.spec.source.file
    assert spec is not None  # noqa: S101 # `_manifest` wrote it
    return FileSource(spec, roots=(folder.absolute(), Path(spec.path).resolve().parent))


async def _forget(local: Local, obj: JsonObject) -> None:
    """Removes the registry of a file that is gone, and all that was made of it."""
    await local.resources.delete(MCP_REGISTRY, FILES, name_of(obj))
    selections = SqliteSelections(local.home.selections)
    selections.forget(uid_of(obj))
    selections.close()
    await local.chunks.forget(uid_of(obj))
    shutil.rmtree(local.home.models / uid_of(obj), ignore_errors=True)
