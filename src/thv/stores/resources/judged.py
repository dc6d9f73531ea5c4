"""A store that somebody judges the use of: each verb is asked about before it goes on to the store behind.

In the flow: under `fenced` and `permitted`, which say what is let through.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Literal, TypeAlias

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.resources import KINDS, Kind, kind_of, name_of, namespace_of
from thv.stores.resources.base import ResourceList, ResourceStore, WatchEvent

Verb: TypeAlias = Literal["get", "list", "watch", "create", "update", "patch", "delete"]
READING: frozenset[Verb] = frozenset({"get", "list", "watch"})


class Use(msgspec.Struct, frozen=True):
    """What somebody is about to do, in the words of access rules."""

    verb: Verb
    kind: Kind
    namespace: str
    """`""`: all of them."""
    name: str = ""
    part: str = ""
    """`/status`, or `""` for the object itself."""


class JudgedStore:
    """Passes on what `judge` does not refuse by raising."""

    def __init__(self, store: ResourceStore, kinds: tuple[Kind, ...] = KINDS) -> None:
        """`kinds` are those of the objects that may be written."""
        self._store = store
        self._kinds = kinds

    def judge(self, use: Use) -> None:
        """Raises ThvError for a use that must not happen."""
        raise NotImplementedError

    async def get(self, kind: Kind, namespace: str, name: str) -> JsonObject:
        self.judge(Use("get", kind, namespace, name))
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
        self.judge(Use("list", kind, namespace or "", name))
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
        self.judge(Use("watch", kind, namespace or "", name))
        return self._store.watch(
            kind, namespace, since=since, selector=selector, name=name, partial=partial
        )

    async def create(
        self, obj: JsonObject, *, manager: str, dry_run: bool = False, strict: bool = True
    ) -> JsonObject:
        self.judge(self._use_of(obj, "create"))
        return await self._store.create(obj, manager=manager, dry_run=dry_run, strict=strict)

    async def replace(
        self, obj: JsonObject, *, manager: str, dry_run: bool = False, strict: bool = True
    ) -> JsonObject:
        self.judge(self._use_of(obj, "update"))
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
        self.judge(self._use_of(obj, "patch"))
        return await self._store.apply(
            obj, manager=manager, force=force, dry_run=dry_run, strict=strict
        )

    async def merge(
        self, kind: Kind, namespace: str, name: str, patch: JsonObject, *, manager: str
    ) -> JsonObject:
        self.judge(Use("patch", kind, namespace, name))
        return await self._store.merge(kind, namespace, name, patch, manager=manager)

    async def apply_status(
        self, obj: JsonObject, *, manager: str, force: bool = True
    ) -> JsonObject:
        self.judge(self._use_of(obj, "patch", part="/status"))
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
        self.judge(Use("delete", kind, namespace, name))
        await self._store.delete(kind, namespace, name, uid=uid, resource_version=resource_version)

    async def close(self) -> None:
        await self._store.close()

    def _use_of(self, obj: JsonObject, verb: Verb, *, part: str = "") -> Use:
        kind = kind_of(obj, self._kinds)
        return Use(verb, kind, namespace_of(obj) or "default", name_of(obj), part)
