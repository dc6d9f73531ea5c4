"""A registry as it changes, for commands that wait for something.

In the flow: under `thv registry wait` and `sync`. A cluster tells of changes; into a data folder, which another
process may change, this one looks now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from thv.apps.cli.registries import Shelf, again
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.registry import load_registry
from thv.domain.resources import MCP_REGISTRY, resource_version_of, uid_of
from thv.stores.resources.base import EventType

LOOK_EVERY = 0.1


async def followed(shelf: Shelf) -> AsyncGenerator[Shelf, None]:
    """The registry as it is now, then whenever it may have changed; ends when it is gone."""
    states = _told(shelf) if shelf.place.on_cluster else _looked_at(shelf)
    async with aclosing(states):
        try:
            async for state in states:
                yield state
        except ThvError as error:
            if error.code is not Code.NOT_FOUND:
                raise


async def _looked_at(shelf: Shelf) -> AsyncGenerator[Shelf, None]:
    while True:
        yield await again(shelf)
        await asyncio.sleep(LOOK_EVERY)


async def _told(shelf: Shelf) -> AsyncGenerator[Shelf, None]:
    """A watch that is too old begins anew."""
    while True:
        now = await again(shelf)
        yield now
        try:
            async with aclosing(_changes(now)) as changes:
                async for obj in changes:
                    yield msgspec.structs.replace(shelf, obj=obj, registry=load_registry(obj))
                return
        except ThvError as error:
            if error.code is not Code.EXPIRED:
                raise


async def _changes(shelf: Shelf) -> AsyncGenerator[JsonObject, None]:
    """Ends when the registry is deleted, also when another of its name follows."""
    watch = shelf.place.resources.watch(
        MCP_REGISTRY, shelf.namespace, since=resource_version_of(shelf.obj), name=shelf.name
    )
    async with aclosing(watch) as events:
        async for event in events:
            if event.type is EventType.BOOKMARK:
                continue
            if event.type is EventType.DELETED or uid_of(event.object) != shelf.registry.uid:
                return
            yield event.object
