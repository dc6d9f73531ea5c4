"""A store whose writes are let through only while somebody vouches for the writer.

In the flow: around the store of a process that writes as long as it leads. A process that slept through the end of
its lease is stopped here, before its write leaves.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from thv.domain.canonical import JsonObject
from thv.domain.resources import Kind
from thv.stores.resources.base import ResourceList, ResourceStore, WatchEvent


class FencedStore:
    """Reads pass; each write asks `check` first, which raises when it must not happen."""

    def __init__(self, store: ResourceStore, check: Callable[[], None]) -> None:
        self._store = store
        self._check = check

    async def get(self, kind: Kind, namespace: str, name: str) -> JsonObject:
        return await self._store.get(kind, namespace, name)

    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        name: str = "",
        selector: str = "",
        limit: int = 0,
        continue_: str = "",
        partial: bool = False,
    ) -> ResourceList:
        return await self._store.list(
            kind,
            namespace,
            name=name,
            selector=selector,
            limit=limit,
            continue_=continue_,
            partial=partial,
        )

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        since: str,
        name: str = "",
        selector: str = "",
        partial: bool = False,
    ) -> AsyncGenerator[WatchEvent, None]:
        return self._store.watch(
            kind, namespace, since=since, name=name, selector=selector, partial=partial
        )

    async def create(
        self, obj: JsonObject, *, manager: str, dry_run: bool = False, strict: bool = True
    ) -> JsonObject:
        self._check()
        return await self._store.create(obj, manager=manager, dry_run=dry_run, strict=strict)

    async def replace(
        self, obj: JsonObject, *, manager: str, dry_run: bool = False, strict: bool = True
    ) -> JsonObject:
        self._check()
        return await self._store.replace(obj, manager=manager, dry_run=dry_run, strict=strict)

    async def apply(
        self,
        obj: JsonObject,
        *,
        manager: str,
        force: bool = False,
        dry_run: bool = False,
        strict: bool = True,
    ) -> JsonObject:
        self._check()
        return await self._store.apply(
            obj, manager=manager, force=force, dry_run=dry_run, strict=strict
        )

    async def merge(
        self, kind: Kind, namespace: str, name: str, patch: JsonObject, *, manager: str
    ) -> JsonObject:
        self._check()
        return await self._store.merge(kind, namespace, name, patch, manager=manager)

    async def apply_status(
        self, obj: JsonObject, *, manager: str, force: bool = True
    ) -> JsonObject:
        self._check()
        return await self._store.apply_status(obj, manager=manager, force=force)

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        self._check()
        await self._store.delete(kind, namespace, name, uid=uid, resource_version=resource_version)

    async def close(self) -> None:
        await self._store.close()
