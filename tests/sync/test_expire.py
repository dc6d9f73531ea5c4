"""Registries that somebody began to generate: they are let be, and gone when nobody completes them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.builders import manifest, server
from tests.sync.world import World
from thv.domain.canonical import JsonObject
from thv.domain.pending import MANAGED_BY, MANAGER, OF_REGISTRY, PATIENCE, PENDING, REGISTRY_NAME
from thv.domain.registry import load_registry
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY, uid_of
from thv.domain.times import parse_time

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("CAT-07")]

LABELS = {MANAGED_BY: MANAGER, REGISTRY_NAME: "corp"}


async def begun(world: World, **labels: str) -> JsonObject:
    """A registry that is not whole yet, and a part of it."""
    obj = manifest()
    obj["metadata"] |= {"labels": labels or LABELS, "annotations": {PENDING: "sha256:request"}}
    made = await world.store.create(obj, manager=MANAGER)
    for name, uid in (("corp-data", uid_of(made)), ("kept", "somebody else's")):
        part = {"name": name, "namespace": "default", "labels": LABELS}
        part |= {"annotations": {OF_REGISTRY: uid}}
        config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": part}
        await world.store.create(config_map, manager=MANAGER)
    return made


async def left(world: World) -> set[str]:
    kinds = (MCP_REGISTRY, CONFIG_MAP)
    listed = [await world.store.list(kind, "default") for kind in kinds]
    return {obj["metadata"]["name"] for each in listed for obj in each.items}


async def test_one_that_is_pending_is_not_synchronized_and_goes_after_ten_minutes() -> None:
    world = World()
    world.publish(server("io.example/a"))
    registry = load_registry(await begun(world))
    made = parse_time(registry.created_at)
    assert made is not None
    world.now = made
    assert await world.reconcile(after=timedelta(minutes=9)) == made + PATIENCE
    assert (await world.registry()).status.observed_generation == 0
    assert await left(world) == {"corp", "corp-data", "kept"}
    assert await world.reconcile(after=timedelta(minutes=1)) is None
    assert await left(world) == {"kept"}


async def test_one_that_is_completed_is_synchronized() -> None:
    world = World()
    world.publish(server("io.example/a"))
    await begun(world)
    patch: JsonObject = {"metadata": {"annotations": {PENDING: None}}}
    await world.store.merge(MCP_REGISTRY, "default", "corp", patch, manager=MANAGER)
    await world.reconcile()
    assert await world.served() == {"io.example/a": ["1.0.0*"]}


@pytest.mark.parametrize("looked_at", [True, False])
async def test_the_mark_of_somebody_takes_no_registry_away(looked_at: bool) -> None:
    world = World()
    world.publish(server("io.example/a"))
    if looked_at:
        await world.apply()
        await world.reconcile()
        await world.annotate(generation_pending="x")
    else:
        await begun(world, team="blue")
    await world.reconcile()
    await world.reconcile()
    assert await world.served() == {"io.example/a": ["1.0.0*"]}
