"""A store that somebody uses with their own rights, as an API server lets them.

In the flow: around the store of one machine, for who is known to its door. A cluster judges by itself.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from thv.domain.access import Action, Caller
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import Kind, kind_of, name_of, namespace_of
from thv.stores.resources.base import ResourceList, ResourceStore, WatchEvent


class PermittedStore:
    """Each verb asks whether the caller has the right to it; raises FORBIDDEN, naming the right."""

    def __init__(self, store: ResourceStore, caller: Caller) -> None:
        self._store = store
        self._caller = caller

    async def get(self, kind: Kind, namespace: str, name: str) -> JsonObject:
        self._require("get", kind, namespace, name)
        return await self._store.get(kind, namespace, name)

    async def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        selector: str = "",
        name: str = "",
        limit: int = 0,
        continue_: str = "",
        partial: bool = False,
    ) -> ResourceList:
        self._require("list", kind, namespace or "", name)
        return await self._store.list(
            kind,
            namespace,
            selector=selector,
            name=name,
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
        selector: str = "",
        name: str = "",
        partial: bool = False,
    ) -> AsyncGenerator[WatchEvent, None]:
        self._require("watch", kind, namespace or "", name)
        return self._store.watch(
            kind, namespace, since=since, selector=selector, name=name, partial=partial
        )

    async def create(
        self, obj: JsonObject, *, manager: str, dry_run: bool = False, strict: bool = True
    ) -> JsonObject:
        self._require_for("create", obj)
        return await self._store.create(obj, manager=manager, dry_run=dry_run, strict=strict)

    async def replace(
        self, obj: JsonObject, *, manager: str, dry_run: bool = False, strict: bool = True
    ) -> JsonObject:
        self._require_for("update", obj)
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
        self._require_for("patch", obj)
        return await self._store.apply(
            obj, manager=manager, force=force, dry_run=dry_run, strict=strict
        )

    async def merge(
        self, kind: Kind, namespace: str, name: str, patch: JsonObject, *, manager: str
    ) -> JsonObject:
        self._require("patch", kind, namespace, name)
        return await self._store.merge(kind, namespace, name, patch, manager=manager)

    async def apply_status(
        self, obj: JsonObject, *, manager: str, force: bool = True
    ) -> JsonObject:
        self._require_for("patch", obj, part="/status")
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
        self._require("delete", kind, namespace, name)
        await self._store.delete(kind, namespace, name, uid=uid, resource_version=resource_version)

    async def close(self) -> None:
        """Nothing: the store is that of others, too."""

    def _require_for(self, verb: str, obj: JsonObject, *, part: str = "") -> None:
        self._require(verb, kind_of(obj), namespace_of(obj) or "default", name_of(obj), part)

    def _require(self, verb: str, kind: Kind, namespace: str, name: str, part: str = "") -> None:
        resource = kind.plural + part
        # A name that does not exist yet is none that a right could be limited to.
        asked = Action(
            verb=verb,
            resource=resource,
            group=kind.group,
            namespace=namespace,
            name="" if verb == "create" else name,
        )
        if not self._caller.may(asked):
            where = f'in the namespace "{namespace}"' if namespace else "everywhere"
            raise ThvError(
                Code.FORBIDDEN,
                f"{self._caller.name} may not {verb} {kind.resource}{part} {where}",
                hint=f"Ask for the right: {verb} {resource}.",
            )
