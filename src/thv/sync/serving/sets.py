"""Objects that are made together and removed together, and the state of the Deployment among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import DEPLOYMENT, POD, Kind, kind_of, name_of, namespace_of
from thv.stores.resources.base import ResourceStore
from thv.sync.serving.health import Health, health_of, ready_pods
from thv.sync.serving.keeper import OWNED_KINDS, ObjectKeeper, Owner

_PODS = 20
"""Pods that are asked what is wrong; a deployment of ours has a few at most."""


class ObjectSets:
    """Keeps and removes sets of objects."""

    def __init__(self, store: ResourceStore, keeper: ObjectKeeper) -> None:
        self._store = store
        self._keeper = keeper
        self._well: dict[tuple[str, str], Health] = {}

    def forget(self) -> None:
        """Pods are looked at again."""
        self._well.clear()

    async def keep(
        self, objects: Iterable[JsonObject], owner: Owner, *, expected: bool
    ) -> tuple[str, ...]:
        """Makes them so, one after the other; the ones in words that had to be repaired."""
        repaired: list[str] = []
        for obj in objects:
            kept = await self._keeper.keep(kind_of(obj, OWNED_KINDS), obj, owner, expected=expected)
            repaired += [kept.repaired] if kept.repaired else []
        return tuple(repaired)

    async def keep_deployment(
        self, obj: JsonObject, owner: Owner, *, expected: bool, was_ready: bool, has_content: bool
    ) -> tuple[Health, tuple[str, ...]]:
        """Makes the Deployment so; how its pods are, and the Deployment in words when it had to be repaired."""
        place = (namespace_of(obj), name_of(obj))
        well = self._well.pop(place, None)
        kept = await self._keeper.keep(DEPLOYMENT, obj, owner, expected=expected, live=well is None)
        health = well if kept.live is None else None
        if health is None:
            live = kept.live or obj
            health = health_of(
                live, await self._pods(live), was_ready=was_ready, has_content=has_content
            )
        if health.is_well:
            self._well[place] = health
        return health, (kept.repaired,) if kept.repaired else ()

    async def _pods(self, deployment: JsonObject) -> Sequence[JsonObject]:
        """The pods, unless all of them are ready or they may not be seen."""
        ready, wanted = ready_pods(deployment)
        if ready >= wanted:
            return ()
        labels = deployment["spec"]["selector"]["matchLabels"]
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        try:
            page = await self._store.list(
                POD, namespace_of(deployment), selector=selector, limit=_PODS
            )
        except ThvError as error:
            if error.code is not Code.FORBIDDEN:
                raise
            return ()
        return page.items

    async def remove(self, kinds: Iterable[Kind], namespace: str, name: str, owner: Owner) -> None:
        """Removes those that are there and the owner's."""
        for kind in kinds:
            await self._keeper.remove(kind, namespace, name, owner)
