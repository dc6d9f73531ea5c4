"""The catalog for whoever has the stores at hand: the same door, asked in the process that asks.

In the flow: `thv catalog` calls this where no service is named. The registries are taken as they are now; nobody is
asked who he is, because the stores show each user what he may read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from thv.apps.catalog_api.catalog import Catalog
from thv.apps.catalog_api.generation import Generations
from thv.apps.catalog_api.generation_rows import generation_rows
from thv.apps.catalog_api.generation_wiring import Address
from thv.apps.catalog_api.generation_writers import OfCluster
from thv.apps.catalog_api.settings import read_settings as read_catalog_settings
from thv.apps.catalog_api.wiring import catalog
from thv.apps.kit.http.dispatch import Context
from thv.apps.kit.http.message import Reply, Request
from thv.apps.registry_api.settings import Settings, read_settings
from thv.apps.registry_api.wiring import Door
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import MCP_REGISTRY
from thv.domain.taxonomy import Taxonomy
from thv.stores.chunks.base import ChunkStore
from thv.stores.resources.base import ResourceStore

Needs: TypeAlias = Literal["registries", "entries", "joined"]
"""What the questions are about: the objects alone, entries of single registries, or all of them together."""

_HEADERS = {b"host": b"localhost", b"accept": b"application/json"}
_JSON = {b"content-type": b"application/json"}
_LOOK = 0.005
"""Seconds between two looks whether everything is there."""


class _Body:
    """A body that is there already."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self, most: int) -> bytes:
        return self._content[: most + 1]


class Inside:
    """The door, as somebody in the same process asks it."""

    def __init__(self, door: Door) -> None:
        self._door = door

    @property
    def troubles(self) -> list[tuple[str, str]]:
        """The registries whose content cannot be read, and why."""
        every = self._door.follower.every()
        return [("/".join(each.owner), each.trouble) for each in every if each.trouble]

    async def answer(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body; `target` is a path with its query."""
        path, _, query = target.encode().partition(b"?")
        request = Request(
            method=method,
            path=path,
            query=query,
            headers={**_HEADERS, **(_JSON if body else {})},
            client="127.0.0.1",
            incoming=_Body(body) if body else None,
        )
        found = self._door.app.respond(request, Context())
        reply = found if isinstance(found, Reply) else await found
        return reply.status, await _whole(reply)


async def _whole(reply: Reply) -> bytes:
    if isinstance(reply.body, bytes):
        return reply.body
    return b"".join([piece async for piece in reply.body])


@asynccontextmanager
async def inside(
    resources: ResourceStore,
    chunks: ChunkStore,
    models: Path,
    *,
    namespace: str,
    taxonomy: Taxonomy,
    clock: Callable[[], datetime],
    address: Address,
    environ: Mapping[str, str],
    needs: Needs = "joined",
) -> AsyncIterator[Inside]:
    """The door over the registries that there are now; of `namespace` alone where one may not list all.

    `address` is where the API of a generated registry will be; `environ` has the settings of the catalog. Preparing what
    the questions do not need would take most of the time of a command.
    """
    door = catalog(
        resources,
        chunks,
        models,
        taxonomy=taxonomy,
        settings=Settings(any_host=True, registry_order=read_settings(environ).registry_order),
        clock=clock,
        told=read_catalog_settings(environ, anonymous_read=True),
        generation=generation_rows(
            Generations(None, OfCluster(_nowhere), address=address, clock=clock)
        ),
    )
    taken, objects = asyncio.Event(), await _registries(resources, namespace)
    following = asyncio.create_task(_follow(door, objects, taken, needs))
    there = asyncio.create_task(_until_there(door, taken, needs))
    try:
        await asyncio.wait([following, there], return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            _raise_what_broke(following, models.parent)
        yield Inside(door)
    finally:
        for task in (there, following):
            task.cancel()
        await asyncio.wait([there, following])


async def _registries(resources: ResourceStore, namespace: str) -> list[JsonObject]:
    try:
        return (await resources.list(MCP_REGISTRY)).items
    except ThvError as error:
        if error.code is not Code.FORBIDDEN:
            raise
    return (await resources.list(MCP_REGISTRY, namespace)).items


def _nowhere(_token: str) -> ResourceStore:
    """Nobody is known here, so that manifests are rendered alone."""
    raise ThvError(Code.FORBIDDEN, "nothing is written in the name of a caller here")


async def _follow(
    door: Door, objects: Iterable[JsonObject], taken: asyncio.Event, needs: Needs
) -> None:
    """Takes the registries, and follows them until it is cancelled."""
    async with asyncio.TaskGroup() as group:
        for obj in objects:
            await door.follower.take(obj, gone=False, group=group)
        taken.set()
        if needs == "joined" and door.beside.follow is not None:
            await door.beside.follow()


def _raise_what_broke(following: asyncio.Task[None], folder: Path) -> None:
    """The first thing that broke, if anything did."""
    try:
        following.result()
    except* OSError as errors:
        raise ThvError(
            Code.STORE_UNAVAILABLE,
            f"the catalog cannot be prepared in {folder}: {errors.exceptions[0]}",
            hint="Name a folder that can be written: --data DIR, or ask a service: --server URL",
        ) from errors


async def _until_there(door: Door, taken: asyncio.Event, needs: Needs) -> None:
    """Returns once all is there that can be."""
    await taken.wait()
    place: Catalog = door.beside.place
    if needs != "registries":
        await _until(door.follower.is_at_rest)
    if needs == "joined":
        await _until(lambda: place.is_at_rest)


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 # neither of the two tells when
        await asyncio.sleep(_LOOK)
