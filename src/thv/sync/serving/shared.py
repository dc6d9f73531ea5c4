"""The pods that all shared registries of a namespace have in common.

In the flow: made with the first shared registry of a namespace, removed with the last. Nobody owns them: a list of
a thousand owners would be rewritten with each of them, so they are removed in so many words, and by a sweep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.resources import DISRUPTION_BUDGET, MCP_REGISTRY, ROLE, namespace_of
from thv.stores.resources.base import ResourceStore
from thv.sync.serving.access import AccessList, Account
from thv.sync.serving.endpoints import ApiServer
from thv.sync.serving.health import Health
from thv.sync.serving.keeper import NOBODY, OWNED_KINDS
from thv.sync.serving.listing import listed
from thv.sync.serving.names import MANAGED_BY, MANAGER, NAME, SHARED
from thv.sync.serving.network import shared_budget, shared_policy
from thv.sync.serving.pods import shared_deployment
from thv.sync.serving.roles import shared_account, shared_binding, shared_role
from thv.sync.serving.sets import ObjectSets
from thv.sync.serving.settings import ApiSettings, Mode

_FRESH = 1.0
"""Seconds for which many registries of a namespace are content with one look."""


class SharedState(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at the shared pods found."""

    health: Health
    repaired: tuple[str, ...] = ()


class _Look(msgspec.Struct, frozen=True):
    at: float
    health: Health


class SharedPods:
    """The shared pods of every namespace, as one process keeps them."""

    def __init__(
        self,
        store: ResourceStore,
        settings: ApiSettings,
        *,
        sets: ObjectSets,
        access: AccessList,
        server: ApiServer,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._settings = settings
        self._sets = sets
        self._access = access
        self._server = server
        self._clock = clock
        self._locks: dict[str, asyncio.Lock] = {}
        self._looks: dict[str, _Look] = {}
        self._members: dict[str, set[str]] = {}
        self._trimmed: set[str] = set()
        self._removed: set[str] = set()

    def forget(self) -> None:
        """Everything is looked at again."""
        self._looks.clear()
        self._members.clear()
        self._trimmed.clear()
        self._removed.clear()

    def saw(self, namespace: str) -> None:
        """Something about the shared pods of this namespace may have changed."""
        self._looks.pop(namespace, None)

    async def ensure(
        self, namespace: str, registry: str, *, expected: bool, was_ready: bool
    ) -> SharedState:
        """Has the pods serve this registry too; `expected` says that they were there before."""
        self._members.setdefault(namespace, set()).add(registry)
        async with self._lock(namespace):
            self._removed.discard(namespace)
            look = self._looks.get(namespace)
            if look is not None and self._clock() - look.at < _FRESH:
                return SharedState(health=look.health)
            state = await self._ensured(namespace, expected=expected, was_ready=was_ready)
            self._looks[namespace] = _Look(self._clock(), state.health)
            return state

    async def _ensured(self, namespace: str, *, expected: bool, was_ready: bool) -> SharedState:
        await self._trim(namespace)
        repaired = await self._sets.keep(await self._around(namespace), NOBODY, expected=expected)
        health, too = await self._sets.keep_deployment(
            shared_deployment(namespace, self._settings),
            NOBODY,
            expected=expected,
            was_ready=was_ready,
            has_content=True,
        )
        return SharedState(health=health, repaired=(*repaired, *too))

    async def _around(self, namespace: str) -> list[JsonObject]:
        """What is there before the pods are."""
        objects = [
            shared_role(namespace),
            shared_account(namespace),
            shared_binding(namespace),
            shared_policy(namespace, self._settings, await self._server.addresses()),
        ]
        if self._settings.shared_replicas > 1:
            objects.append(shared_budget(namespace))
        return objects

    async def _trim(self, namespace: str) -> None:
        """Removes what another setting may have left behind; once a process."""
        if self._settings.shared_replicas < 2 and namespace not in self._trimmed:
            await self._sets.remove([DISRUPTION_BUDGET], namespace, SHARED, NOBODY)
        self._trimmed.add(namespace)

    def has(self, namespace: str, registry: str) -> bool:
        """Whether this process had the registry served by shared pods."""
        return registry in self._members.get(namespace, ())

    async def leave(self, namespace: str, registry: str) -> None:
        """The registry is served otherwise, or gone; the last one takes the pods with it.

        It is forgotten when that is done, so that a removal that failed is made when it is tried again.
        """
        members = self._members.get(namespace, set())
        if members <= {registry}:
            await self.remove_unused(namespace)
        members.discard(registry)

    async def remove_unused(self, namespace: str) -> None:
        """Removes the pods if no registry of the namespace needs them."""
        async with self._lock(namespace):
            if namespace in self._removed or await self._is_used(namespace):
                return
            self._looks.pop(namespace, None)
            await self._sets.remove(reversed(OWNED_KINDS), namespace, SHARED, NOBODY)
            await self._access.revoke([Account(namespace, SHARED)])
            self._removed.add(namespace)

    async def namespaces(self, namespace: str | None) -> set[str]:
        """The namespaces that have shared pods, or a rest of them."""
        selector = f"{MANAGED_BY}={MANAGER},{NAME}={SHARED}"
        roles = listed(self._store, ROLE, namespace, selector, partial=True)
        return {namespace_of(role) async for role in roles}

    async def _is_used(self, namespace: str) -> bool:
        async for obj in listed(self._store, MCP_REGISTRY, namespace):
            if is_shared_registry(obj, self._settings.mode):
                return True
        return False

    def _lock(self, namespace: str) -> asyncio.Lock:
        return self._locks.setdefault(namespace, asyncio.Lock())


def is_shared_registry(obj: JsonObject, default: Mode) -> bool:
    """Whether an MCPRegistry is to be served by shared pods."""
    api = (obj.get("spec") or {}).get("api") or {}
    is_leaving = bool((obj.get("metadata") or {}).get("deletionTimestamp"))
    mode: str = api.get("mode") or default
    return bool(api.get("enabled", True)) and mode == "shared" and not is_leaving
