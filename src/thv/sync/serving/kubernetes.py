"""The APIs of registries on a cluster: owned objects, made and kept as the specs say.

In the flow: a reconcile asks for the state before it decides, and lets the API read new chunks before the pointer in
the status names them; the operator's watches tell what they saw, and a sweep removes what nobody asks for any more.
Everything is found out from what is there: a process that starts anew does what the one before would have done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.registry import Registry
from thv.domain.registry_status import ApiPhase, ApiStatus
from thv.domain.resources import (
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
    ROLE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
    Kind,
    labels_of,
    namespace_of,
)
from thv.domain.snapshot import SnapshotRef
from thv.stores.resources.base import ResourceStore
from thv.sync.api import ApiState
from thv.sync.serving.access import AccessList, Account
from thv.sync.serving.endpoints import ApiServer
from thv.sync.serving.health import DEPLOYING, DISABLED, Health, refused_health, shortened
from thv.sync.serving.keeper import OWNED_KINDS, NotYetError, ObjectKeeper, Owner
from thv.sync.serving.names import MADE, NAME, SHARED, api_name, endpoint_of, mode_of
from thv.sync.serving.network import own_budget, own_policy, service
from thv.sync.serving.pods import own_deployment
from thv.sync.serving.ports import PortTable
from thv.sync.serving.roles import chunks_needed, chunks_of, own_account, own_binding, own_role
from thv.sync.serving.sets import ObjectSets
from thv.sync.serving.settings import ApiSettings
from thv.sync.serving.shared import SharedPods
from thv.sync.serving.sweep import Sweeper

_TOLD = frozenset(
    {Code.ALREADY_EXISTS, Code.FORBIDDEN, Code.INVALID, Code.NOT_FOUND, Code.STORE_FULL}
)
"""Errors that a person must see in the status; all others are tried again by whoever reconciles."""

_DEDICATED_ONLY = (DEPLOYMENT, DISRUPTION_BUDGET, NETWORK_POLICY, SERVICE_ACCOUNT)
"""What a registry has only with pods of its own."""

_AT_ONCE, _SOON, _LATER = 2.0, 10.0, 60.0
"""Seconds until a state is looked at again of which no watch tells; the state of shared pods concerns a whole
namespace, so that somebody looks at it often enough."""


class _Admitted(msgspec.Struct, frozen=True):
    """Chunks that a pointer is about to name."""

    uid: str
    names: frozenset[str]


class KubernetesApi:
    """Has registries served by pods of a cluster."""

    def __init__(
        self,
        store: ResourceStore,
        settings: ApiSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` counts seconds."""
        self._store = store
        self._settings = settings
        self._keeper = ObjectKeeper(store, clock)
        self._sets = ObjectSets(store, self._keeper)
        self._access = AccessList(store, clock)
        self._server = ApiServer(store, settings, clock)
        self._ports = PortTable(store)
        self._shared = SharedPods(
            store,
            settings,
            sets=self._sets,
            access=self._access,
            server=self._server,
            clock=clock,
        )
        self._admitted: dict[tuple[str, str], _Admitted] = {}

    def forget(self) -> None:
        """Nothing that this process knows holds any more, as another one worked meanwhile."""
        for part in (self._keeper, self._sets, self._access, self._ports, self._shared):
            part.forget()
        self._admitted.clear()

    def saw(self, obj: JsonObject, *, gone: bool) -> None:
        """A watch told of this object of ours; an object of which none tells is asked for each time."""
        self._keeper.saw(obj, gone=gone)
        if gone or labels_of(obj).get(NAME) == SHARED:
            self._shared.saw(namespace_of(obj))

    async def left(self, namespace: str, name: str) -> None:
        """The registry is gone; what it owned goes by itself."""
        self._admitted.pop((namespace, name), None)
        await self._leave_shared(namespace, name)
        account = Account(namespace, api_name(name))
        if account in self._access.granted():
            await self._access.revoke([account])

    async def sweep(
        self, registries: Iterable[Registry], *, namespaces: Sequence[str | None] = (None,)
    ) -> None:
        """Removes what registries left behind that went while nobody looked, and gives back what somebody took.

        `registries` are all that there are in `namespaces`; None stands for every namespace.
        """
        sweeper = Sweeper(self._store, self._settings, self._shared, self._access)
        await sweeper.sweep(registries, namespaces)

    async def admit(self, registry: Registry, pointers: Sequence[SnapshotRef]) -> None:
        """Lets the API read these chunks; where that cannot be, `ensure` says why."""
        if not registry.spec.api.enabled:
            return
        place = (registry.namespace, registry.name)
        self._admitted[place] = _Admitted(registry.uid, frozenset(chunks_of(pointers)))
        try:
            await self._sets.keep(self._rights(registry), _owner(registry), expected=False)
        except NotYetError:
            return
        except ThvError as error:
            if error.code not in _TOLD:
                raise

    async def ensure(self, registry: Registry) -> ApiState:
        """Makes the API what the spec says and tells its state."""
        if not registry.spec.api.enabled:
            await self._stop(registry)
            return ApiState(status=ApiStatus(phase=ApiPhase.NOT_STARTED), reason=DISABLED)
        try:
            if self._is_shared(registry):
                return await self._serve_shared(registry)
            return await self._serve_dedicated(registry)
        except NotYetError as error:
            status = ApiStatus(phase=ApiPhase.NOT_STARTED, message=shortened(error.message))
            return ApiState(status=status, reason=DEPLOYING, again=_AT_ONCE)
        except ThvError as error:
            if error.code not in _TOLD:
                raise
            port = registry.status.api_status.target_port if self._is_shared(registry) else None
            return self._state(registry, refused_health(error), port=port)

    # The two shapes ------------------------------------------------------------------------------------

    async def _serve_dedicated(self, registry: Registry) -> ApiState:
        owner, expected = _owner(registry), self._is_expected(registry)
        repaired = await self._sets.keep(
            await self._own_objects(registry), owner, expected=expected
        )
        health, too = await self._sets.keep_deployment(
            own_deployment(registry, self._settings),
            owner,
            expected=expected,
            was_ready=_was_ready(registry),
            has_content=bool(registry.status.snapshot),
        )
        if registry.spec.api.replicas < 2 and _is_turned(registry):
            await self._remove(registry, [DISRUPTION_BUDGET])
        if registry.status.api_status.target_port is not None:
            await self._leave_shared(registry.namespace, registry.name, was_member=True)
        health = await self._granted(registry, api_name(registry.name), health)
        return self._state(registry, health, repaired=(*repaired, *too))

    async def _serve_shared(self, registry: Registry) -> ApiState:
        expected = self._is_expected(registry)
        port = await self._ports.port_of(registry.namespace, registry.name)
        state = await self._shared.ensure(
            registry.namespace, registry.name, expected=expected, was_ready=_was_ready(registry)
        )
        rights = self._rights(registry)
        repaired = await self._sets.keep(
            [*rights, service(registry, self._settings, port)], _owner(registry), expected=expected
        )
        if _is_turned(registry) or _was_dedicated(registry):
            without_rights = () if rights else (ROLE_BINDING, ROLE)
            await self._remove(registry, (*_DEDICATED_ONLY, *without_rights))
            await self._access.revoke([Account(registry.namespace, api_name(registry.name))])
        health = await self._granted(registry, SHARED, state.health)
        return self._state(registry, health, port=port, repaired=(*state.repaired, *repaired))

    async def _stop(self, registry: Registry) -> None:
        """Removes everything that serves the registry, if there may be anything."""
        known = registry.status.api_status.phase in {None, ApiPhase.NOT_STARTED}
        if known and not _is_turned(registry):
            return
        await self._remove(registry, reversed(OWNED_KINDS))
        was_member = registry.status.api_status.target_port is not None
        await self._leave_shared(registry.namespace, registry.name, was_member=was_member)
        await self._access.revoke([Account(registry.namespace, api_name(registry.name))])

    async def _own_objects(self, registry: Registry) -> list[JsonObject]:
        """What is there before the pods of one registry are."""
        role, binding = self._rights(registry)
        policy = own_policy(registry, self._settings, await self._server.addresses())
        objects = [role, own_account(registry), binding, policy]
        if registry.spec.api.replicas > 1:
            objects.append(own_budget(registry))
        return [*objects, service(registry, self._settings, None)]

    def _rights(self, registry: Registry) -> list[JsonObject]:
        """The Role and its binding; a shared registry has none before it has chunks."""
        mode = mode_of(registry, self._settings)
        chunks = self._chunks(registry)
        has_pointer = bool(registry.status.snapshot or registry.status.candidates)
        if mode == "shared" and not chunks and not has_pointer:
            return []
        return [own_role(registry, mode, sorted(chunks)), own_binding(registry, mode)]

    def _chunks(self, registry: Registry) -> set[str]:
        """What the status leads to, and what it will lead to in a moment."""
        needed = chunks_needed(registry)
        place = (registry.namespace, registry.name)
        admitted = self._admitted.get(place)
        if admitted is None:
            return needed
        if admitted.uid != registry.uid or admitted.names <= needed:
            del self._admitted[place]
            return needed
        return needed | admitted.names

    async def _granted(self, registry: Registry, account: str, health: Health) -> Health:
        """The health, as the right to check tokens changes it; open registries answer without."""
        try:
            await self._access.grant(Account(registry.namespace, account))
        except ThvError as error:
            if error.code not in _TOLD:
                raise
            if not registry.spec.api.anonymous_read:
                return refused_health(error)
            return msgspec.structs.replace(health, message=shortened(error.message))
        return health

    async def _remove(self, registry: Registry, kinds: Iterable[Kind]) -> None:
        name = api_name(registry.name)
        await self._sets.remove(kinds, registry.namespace, name, _owner(registry))

    async def _leave_shared(self, namespace: str, name: str, *, was_member: bool = False) -> None:
        self._ports.release(namespace, name)
        if was_member or self._shared.has(namespace, name):
            await self._shared.leave(namespace, name)

    def _state(
        self,
        registry: Registry,
        health: Health,
        *,
        port: int | None = None,
        repaired: tuple[str, ...] = (),
    ) -> ApiState:
        status = ApiStatus(
            phase=health.phase,
            endpoint=endpoint_of(registry, self._settings),
            ready_replicas=health.ready,
            target_port=port,
            message=health.message,
        )
        wait = _SOON if port is None and not health.answers else _LATER
        return ApiState(
            status=status,
            reason=health.reason,
            drifted=repaired,
            again=None if health.is_well else wait,
        )

    def _is_shared(self, registry: Registry) -> bool:
        return mode_of(registry, self._settings) == "shared"

    def _is_expected(self, registry: Registry) -> bool:
        """Whether everything was there before, in the same shape and for the same spec."""
        known = registry.status.api_status
        is_same_shape = (known.target_port is not None) == self._is_shared(registry)
        is_same_spec = registry.status.observed_generation == registry.generation
        return known.phase in MADE and is_same_shape and is_same_spec


def _owner(registry: Registry) -> Owner:
    return Owner(registry.name, registry.uid)


def _was_ready(registry: Registry) -> bool:
    return registry.status.api_status.phase in {ApiPhase.READY, ApiPhase.UNHEALTHY}


def _was_dedicated(registry: Registry) -> bool:
    known = registry.status.api_status
    return known.phase not in {None, ApiPhase.NOT_STARTED} and known.target_port is None


def _is_turned(registry: Registry) -> bool:
    """Whether an earlier spec may have left something that this one does not ask for."""
    return registry.generation > 1 and registry.status.observed_generation != registry.generation
