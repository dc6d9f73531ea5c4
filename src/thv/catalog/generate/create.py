"""Writing what was generated: all of it or nothing that stays.

In the flow: after `manifests`, with the rights of whoever asks. The registry is written first and marked as pending;
whatever ends half-way, the same request completes it, and `expire` takes it away when nobody does.

    check     everything, as a dry run: a missing right or a taken name leaves nothing behind
    begin     MCPRegistry, pending
    fill      ConfigMap and MCPToolConfigs, each annotated with the uid of the registry
    finish    MCPRegistry as it was asked for
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

import msgspec

from thv.catalog.generate.manifests import Generation
from thv.catalog.generate.refusals import refused
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, FieldError, ThvError
from thv.domain.pending import (
    COMPLETABLE,
    MANAGED_BY,
    MANAGER,
    OF_REGISTRY,
    PENDING,
    REGISTRY_NAME,
    parts_of,
)
from thv.domain.resources import (
    CONFIG_MAP,
    MCP_REGISTRY,
    TOOL_CONFIG,
    Kind,
    annotations_of,
    kind_of,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    resource_version_of,
    uid_of,
)
from thv.domain.times import parse_time
from thv.stores.resources.base import ResourceStore

_TRIES = 8


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    registry: JsonObject
    objects: tuple[str, ...]
    """As `Kind/name`, in the order of the manifests."""
    warnings: tuple[FieldError, ...] = ()


async def create(
    store: ResourceStore, generation: Generation, now: datetime, *, dry_run: bool = False
) -> Written:
    """Makes the registry; a request that was interrupted is gone on with.

    Raises ALREADY_EXISTS where the name is taken, FORBIDDEN and INVALID as the store does.
    """
    began = await _begun(store, generation, now)
    missing = [obj async for obj in _missing(store, generation, began)]
    for obj in missing:
        await store.create(obj, manager=MANAGER, dry_run=True)
    if dry_run:
        return _written(generation, generation.registry)
    registry = began or await store.create(_pending(generation), manager=MANAGER)
    try:
        await _fill(store, generation, registry)
        finished = await _finish(store, generation, registry)
    except ThvError:
        if began is None:
            await withdraw(store, registry)
        raise
    return _written(generation, finished)


def _written(
    generation: Generation, registry: JsonObject, warnings: Iterable[FieldError] = ()
) -> Written:
    objects = tuple(f"{obj['kind']}/{name_of(obj)}" for obj in generation.manifests)
    return Written(registry=registry, objects=objects, warnings=tuple(warnings))


# ---------------------------------------------------------------- check


async def _begun(store: ResourceStore, generation: Generation, now: datetime) -> JsonObject | None:
    """The registry that the same request began, None where there is none; raises ALREADY_EXISTS for another one."""
    live = await _find(store, generation.registry)
    if live is None:
        return None
    if annotations_of(live).get(PENDING) == generation.request.digest and _is_young(live, now):
        return live
    name = generation.request.registry_name
    message = f'the registry "{name}" exists in the namespace "{generation.request.namespace}"'
    raise refused(
        Code.ALREADY_EXISTS,
        "metadata.registry_name",
        message,
        name,
        hint="Take another name, or replace it: PUT /api/v1/namespaces/"
        f"{generation.request.namespace}/registries/{name}",
    )


def _is_young(registry: JsonObject, now: datetime) -> bool:
    made = parse_time(str(metadata_of(registry).get("creationTimestamp")))
    return made is not None and now - made < COMPLETABLE


async def _missing(
    store: ResourceStore, generation: Generation, began: JsonObject | None
) -> AsyncIterator[JsonObject]:
    """The objects that are to be created; raises ALREADY_EXISTS for one of somebody else."""
    if began is None:
        yield _pending(generation)
    for obj in _parts(generation):
        live = await _find(store, obj)
        if live is None:
            yield obj
        elif began is None or annotations_of(live).get(OF_REGISTRY) != uid_of(began):
            raise _taken(obj)


def _taken(obj: JsonObject) -> ThvError:
    what = f"{obj['kind']}/{name_of(obj)}"
    return ThvError(
        Code.ALREADY_EXISTS,
        f"{what} exists in the namespace {namespace_of(obj)} and belongs to no registry of this name",
        hint="Take another registry_name, or delete it.",
        details={"field": "metadata.registry_name", "value": what},
    )


# ---------------------------------------------------------------- begin, fill, finish


def _parts(generation: Generation) -> list[JsonObject]:
    return [generation.config_map, *generation.tool_configs]


def _pending(generation: Generation) -> JsonObject:
    return _annotated(generation.registry, {PENDING: generation.request.digest})


async def _fill(store: ResourceStore, generation: Generation, registry: JsonObject) -> None:
    """Puts what the registry refers to beside it; what the same request put there before may be of older content."""
    for part in _parts(generation):
        wanted = _annotated(part, {OF_REGISTRY: uid_of(registry)})
        try:
            await store.create(wanted, manager=MANAGER)
        except ThvError as error:
            if error.code is not Code.ALREADY_EXISTS:
                raise
            live = await _find(store, part)
            if live is None or annotations_of(live).get(OF_REGISTRY) != uid_of(registry):
                raise _taken(part) from error
            await store.replace(_over(live, wanted), manager=MANAGER)


async def _finish(store: ResourceStore, generation: Generation, registry: JsonObject) -> JsonObject:
    """The registry without the mark; whoever writes its status meanwhile makes us read it again."""
    for _ in range(_TRIES):
        try:
            return await store.replace(_over(registry, generation.registry), manager=MANAGER)
        except ThvError as error:
            if error.code is not Code.CONFLICT:
                raise
        registry = await _same(store, registry)
    message = f'the registry "{name_of(registry)}" was written again and again before it was whole'
    raise ThvError(Code.CONFLICT, message, hint="Send the request again.")


async def _same(store: ResourceStore, registry: JsonObject) -> JsonObject:
    """The registry as it is now; raises CONFLICT when it is another one."""
    live = await store.get(MCP_REGISTRY, namespace_of(registry), name_of(registry))
    if uid_of(live) != uid_of(registry):
        raise ThvError(Code.CONFLICT, f'the registry "{name_of(live)}" was made anew meanwhile')
    return live


async def withdraw(store: ResourceStore, registry: JsonObject) -> None:
    """Removes a registry that is pending, and what was made for it; what cannot be removed expires."""
    for kind in (CONFIG_MAP, TOOL_CONFIG):
        for obj in await _made_for(store, kind, registry):
            await _delete(store, kind, obj)
    await _delete(store, MCP_REGISTRY, registry)


async def _made_for(store: ResourceStore, kind: Kind, registry: JsonObject) -> list[JsonObject]:
    try:
        found = await owned(store, kind, registry)
    except ThvError:
        return []
    return [obj for obj in found if annotations_of(obj).get(OF_REGISTRY) == uid_of(registry)]


async def _delete(store: ResourceStore, kind: Kind, obj: JsonObject) -> bool:
    """Whether it is gone."""
    try:
        await store.delete(kind, namespace_of(obj), name_of(obj), uid=uid_of(obj))
    except ThvError as error:
        return error.code is Code.NOT_FOUND
    return True


# ---------------------------------------------------------------- replace


async def replace(
    store: ResourceStore, generation: Generation, live: JsonObject, *, dry_run: bool = False
) -> Written:
    """Makes `live`, a registry that was generated, what the request says now.

    Its ConfigMap comes first, so that what is synchronized after it is whole; what the request no longer needs goes.
    Raises ALREADY_EXISTS for a part that belongs to somebody else, CONFLICT when the registry changed meanwhile.
    """
    parts = [(part, await _find(store, part)) for part in _parts(generation)]
    for part, there in parts:
        if there is not None and not is_generated(there, name_of(live)):
            raise _taken(part)
    for part, there in parts:
        await _put(store, part, there, dry_run=True)
    await _replaced(store, generation, live, dry_run=True)
    if dry_run:
        return _written(generation, generation.registry)
    for part, there in parts:
        await _put(store, part, there)
    registry = await _replaced(store, generation, live)
    spare = {name_of(obj) for obj in generation.tool_configs}
    left = [
        obj
        for obj in await owned(store, TOOL_CONFIG, live)
        if name_of(obj) not in spare and not await _delete(store, TOOL_CONFIG, obj)
    ]
    return _written(generation, registry, map(_left, left))


async def _put(
    store: ResourceStore, part: JsonObject, there: JsonObject | None, *, dry_run: bool = False
) -> None:
    if there is None:
        await store.create(part, manager=MANAGER, dry_run=dry_run)
    else:
        await store.replace(_over(there, part), manager=MANAGER, dry_run=dry_run)


async def _replaced(
    store: ResourceStore, generation: Generation, live: JsonObject, *, dry_run: bool = False
) -> JsonObject:
    """Goes on while only its status changed; raises CONFLICT when somebody else edited it."""
    registry = live
    for _ in range(_TRIES):
        wanted = _over(registry, generation.registry)
        try:
            return await store.replace(wanted, manager=MANAGER, dry_run=dry_run)
        except ThvError as error:
            if error.code is not Code.CONFLICT:
                raise
        registry = await _same(store, live)
        if metadata_of(registry).get("generation") != metadata_of(live).get("generation"):
            break
    raise ThvError(Code.CONFLICT, f'the registry "{name_of(live)}" was edited meanwhile')


def _left(obj: JsonObject) -> FieldError:
    what = f"{obj['kind']}/{name_of(obj)}"
    return FieldError("servers", f"{what} is not needed any more, and you may not delete it", what)


# ---------------------------------------------------------------- objects


def is_generated(obj: JsonObject, registry: str = "") -> bool:
    """Whether the catalog made an object, for the registry of this name or for any."""
    labels = labels_of(obj)
    return labels.get(MANAGED_BY) == MANAGER and registry in ("", labels.get(REGISTRY_NAME))


async def owned(store: ResourceStore, kind: Kind, registry: JsonObject) -> list[JsonObject]:
    """The objects of a kind that were generated for a registry of this name."""
    try:
        selector = parts_of(name_of(registry))
        return (await store.list(kind, namespace_of(registry), selector=selector)).items
    except ThvError as error:
        if error.code is Code.NOT_FOUND:  # a cluster without that kind has none
            return []
        raise


async def _find(store: ResourceStore, obj: JsonObject) -> JsonObject | None:
    try:
        return await store.get(kind_of(obj), namespace_of(obj), name_of(obj))
    except ThvError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        return None


def _annotated(obj: JsonObject, more: dict[str, str]) -> JsonObject:
    metadata = metadata_of(obj)
    annotations = {**annotations_of(obj), **more}
    return {**obj, "metadata": {**metadata, "annotations": annotations}}


def _over(live: JsonObject, wanted: JsonObject) -> JsonObject:
    """What is wanted in place of a live object, whose labels and annotations of others stay."""
    there = metadata_of(live)
    kept: JsonObject = {
        key: there[key] for key in ("uid", "ownerReferences", "finalizers") if key in there
    }
    ours = {PENDING, OF_REGISTRY}
    annotations = {key: value for key, value in annotations_of(live).items() if key not in ours}
    metadata = {
        **kept,
        **metadata_of(wanted),
        "labels": {**labels_of(live), **labels_of(wanted)},
        "annotations": {**annotations, **annotations_of(wanted)},
        "resourceVersion": resource_version_of(live),
    }
    return {**wanted, "metadata": metadata}
