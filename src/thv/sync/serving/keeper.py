"""Makes single objects what they should be, and never takes over one of somebody else.

In the flow: `kubernetes` hands it desired objects, the operator's watches tell it what they saw. An object that was
found to be as desired, and of which no newer version was seen since, is not asked for again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from thv.domain.canonical import JsonObject, canonical
from thv.domain.errors import Code, ThvError
from thv.domain.resources import (
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    MCP_REGISTRY,
    NETWORK_POLICY,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
    annotations_of,
    find_kind,
    metadata_of,
    name_of,
    namespace_of,
    resource_version_of,
    uid_of,
)
from thv.stores.resources.base import ResourceStore
from thv.sync.serving.covers import covers
from thv.sync.serving.names import CONFIG_HASH, MANAGER, controller_of, is_shared

OWNED_KINDS = (
    ROLE,
    SERVICE_ACCOUNT,
    ROLE_BINDING,
    NETWORK_POLICY,
    DISRUPTION_BUDGET,
    SERVICE,
    DEPLOYMENT,
)
"""In the order in which they are made; removed the other way round, so that the first one tells of all."""


class Owner(msgspec.Struct, frozen=True):
    """Whose an object is: of the registry with this uid, or, without one, of all shared ones of a namespace."""

    name: str = ""
    uid: str = ""

    def has(self, obj: JsonObject) -> bool:
        """Whether the object is this owner's."""
        return controller_of(obj).get("uid") == self.uid if self.uid else is_shared(obj)

    def had(self, obj: JsonObject) -> bool:
        """Whether it belongs to an earlier registry of the same name, and will soon be gone."""
        controller = controller_of(obj)
        return (
            controller.get("kind") == MCP_REGISTRY.kind
            and controller.get("apiVersion") == MCP_REGISTRY.api_version
            and controller.get("name") == self.name
            and controller.get("uid") != self.uid
        )


NOBODY = Owner()


class NotOursError(ThvError):
    """Somebody else has an object of this name."""

    def __init__(self, subject: str) -> None:
        super().__init__(
            Code.ALREADY_EXISTS,
            f"{subject} is there and belongs to somebody else",
            hint="Delete or rename it, or give the registry another name.",
        )


class NotYetError(ThvError):
    """What has the name of an object is about to go."""

    def __init__(self, subject: str) -> None:
        super().__init__(Code.CONFLICT, f"waits until the former {subject} is gone", retry_after=2)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one object."""

    live: JsonObject | None
    """The object; None when it was not asked for, as nothing was seen of it since it was as desired."""
    repaired: str = ""
    """The object in words, when somebody else had changed or removed it."""


class _Settled(msgspec.Struct, frozen=True):
    """An object that was as desired, in this version, for this hash, at this moment."""

    version: str
    stamp: str
    at: float


_Key = tuple[str, str, str]
_TRUST = 600.0
"""Seconds for which the watches are trusted to have missed nothing."""


class ObjectKeeper:
    """What one process knows of the objects it keeps."""

    def __init__(self, store: ResourceStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._seen: dict[_Key, str] = {}
        self._settled: dict[_Key, _Settled] = {}

    def saw(self, obj: JsonObject, *, gone: bool) -> None:
        """A watch told of this version of the object, or that it is gone."""
        kind = find_kind(str(obj.get("apiVersion")), str(obj.get("kind")), OWNED_KINDS)
        if kind is None:
            return
        key = (kind.plural, namespace_of(obj), name_of(obj))
        if gone:
            self._seen.pop(key, None)
            self._settled.pop(key, None)
        else:
            self._seen[key] = resource_version_of(obj)

    def forget(self) -> None:
        """Everything is asked for again."""
        self._seen.clear()
        self._settled.clear()

    async def keep(
        self, kind: Kind, obj: JsonObject, owner: Owner, *, expected: bool, live: bool = False
    ) -> Kept:
        """Makes the object so; `expected` says that it was there before, `live` that its state is asked for.

        Raises NotOursError and NotYetError, and what the store raises.
        """
        desired = _stamped(obj)
        key = (kind.plural, namespace_of(obj), name_of(obj))
        stamp = annotations_of(desired)[CONFIG_HASH]
        if not live and self._is_settled(key, stamp):
            return Kept(live=None)
        kept = await self._kept(kind, desired, owner, expected=expected)
        if kept.live is not None:
            version = resource_version_of(kept.live)
            self._settled[key] = _Settled(version, stamp, self._clock())
        return kept

    def _is_settled(self, key: _Key, stamp: str) -> bool:
        known = self._settled.get(key)
        return (
            known is not None
            and known.stamp == stamp
            and known.version == self._seen.get(key)
            and self._clock() - known.at < _TRUST
        )

    async def _kept(self, kind: Kind, desired: JsonObject, owner: Owner, *, expected: bool) -> Kept:
        name = name_of(desired)
        there = await self._get(kind, namespace_of(desired), name)
        if there is None:
            made = await self._store.apply(desired, manager=MANAGER)
            return Kept(live=made, repaired=kind.subject(name) if expected else "")
        _require_ours(kind, there, owner)
        if covers(desired, there):
            return Kept(live=there)
        was_so = annotations_of(there).get(CONFIG_HASH) == annotations_of(desired)[CONFIG_HASH]
        made = await self._store.apply(_at(desired, there), manager=MANAGER, force=True)
        # Where the cluster itself has another last word, by a policy say, applying changes nothing.
        is_new = resource_version_of(made) != resource_version_of(there)
        return Kept(live=made, repaired=kind.subject(name) if was_so and is_new else "")

    async def remove(self, kind: Kind, namespace: str, name: str, owner: Owner) -> None:
        """Removes the object if it is there and the owner's."""
        there = await self._get(kind, namespace, name)
        if there is None or not owner.has(there):
            return
        try:
            await self._store.delete(kind, namespace, name, uid=uid_of(there))
        except ThvError as error:
            if error.code is not Code.NOT_FOUND:
                raise
        self._settled.pop((kind.plural, namespace, name), None)

    async def _get(self, kind: Kind, namespace: str, name: str) -> JsonObject | None:
        try:
            return await self._store.get(kind, namespace, name)
        except ThvError as error:
            if error.code is Code.NOT_FOUND:
                return None
            raise


def _require_ours(kind: Kind, live: JsonObject, owner: Owner) -> None:
    subject = kind.subject(name_of(live))
    if owner.had(live) or (owner.has(live) and metadata_of(live).get("deletionTimestamp")):
        raise NotYetError(subject)
    if not owner.has(live):
        raise NotOursError(subject)


def _stamped(obj: JsonObject) -> JsonObject:
    """With the hash of what is desired, by which a change of ours is told from a change by somebody else."""
    stamp = hashlib.sha256(canonical(obj)).hexdigest()[:16]
    annotations = {**annotations_of(obj), CONFIG_HASH: stamp}
    return obj | {"metadata": obj["metadata"] | {"annotations": annotations}}


def _at(desired: JsonObject, live: JsonObject) -> JsonObject:
    """Held to this very object: one that replaced it meanwhile is left alone."""
    return desired | {"metadata": desired["metadata"] | {"uid": uid_of(live)}}
