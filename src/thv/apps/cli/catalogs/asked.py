"""Whom a command asks for the catalog: a service, or this process.

In the flow: first step of `thv catalog list`, `servers` and the like. Both give the same answers, because it is the same
door; a process only leaves out the port.
"""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal, Protocol, TypeAlias
from urllib.parse import urlencode

import msgspec

from thv.apps.cli.exits import CommandError
from thv.apps.cli.finding import object_of, objects_of, text_of
from thv.apps.cli.loader import load
from thv.apps.cli.registries import plain_name
from thv.apps.cli.served.api import Api, open_api, refusal, segment
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code

Query = Mapping[str, str]
Needs: TypeAlias = Literal["registries", "entries", "joined"]
"""The objects alone, entries of single registries, or all of them together."""
PAGE = 1000
_WORD = 100


class Asked(Protocol):
    """Something that answers for all registries."""

    async def read(self, path: str, query: Query | None = None, /) -> JsonObject:
        """The answer; raises what it refuses."""
        ...

    async def send(self, path: str, query: Query, body: bytes, /) -> JsonObject:
        """The answer to a JSON body; raises what it refuses."""
        ...


class _Door(Protocol):
    async def answer(self, method: str, target: str, body: bytes = b"", /) -> tuple[int, bytes]: ...


class _Here:
    """The door in this process."""

    def __init__(self, door: _Door) -> None:
        self._door = door

    async def read(self, path: str, query: Query | None = None) -> JsonObject:
        """The answer; raises what it refuses."""
        return await self._asked("GET", path, query or {})

    async def send(self, path: str, query: Query, body: bytes) -> JsonObject:
        """The answer to a JSON body; raises what it refuses."""
        return await self._asked("POST", path, query, body)

    async def _asked(self, method: str, path: str, query: Query, body: bytes = b"") -> JsonObject:
        target = f"{path}?{urlencode(query)}" if query else path
        status, answer = await self._door.answer(method, target, body)
        if status != 200:
            raise refusal(status, answer)
        found: JsonObject = msgspec.json.decode(answer)
        return found


@asynccontextmanager
async def asked_catalog(session: Session, needs: Needs = "joined") -> AsyncIterator[Asked]:
    """The catalog that the settings mean; `needs` is what the questions are about."""
    if session.settings.server:
        api = open_api(session)
        try:
            yield _OfMany(api)
        finally:
            await api.close()
        return
    place = session.place
    async with load("thv.apps.catalog_api.inside:inside")(
        place.resources,
        place.chunks,
        place.models,
        namespace=session.namespace,
        taxonomy=place.taxonomy,
        clock=place.clock,
        address=_service if place.on_cluster else _path,
        environ=session.common.around.environ,
        needs=needs,
    ) as door:
        for path, trouble in door.troubles:
            session.console.step("note", f"{path} is left out: {trouble}")
        yield _Here(door)


def _service(namespace: str, name: str) -> str:
    """Where a cluster has the API of a registry."""
    return f"http://{name}-api.{namespace}.svc:8080"


def _path(namespace: str, name: str) -> str:
    """Where it is below the address of whatever `thv serve` comes to serve it."""
    return f"/r/{namespace}/{name}"


class _OfMany:
    """The API at an address, which may well be that of one registry alone."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def read(self, path: str, query: Query | None = None) -> JsonObject:
        try:
            return await self._api.read(path, query)
        except CommandError as error:
            raise self._known(error) from error

    async def send(self, path: str, query: Query, body: bytes) -> JsonObject:
        try:
            return await self._api.send(path, query, body)
        except CommandError as error:
            raise self._known(error) from error

    def _known(self, error: CommandError) -> CommandError:
        if error.code is not Code.NOT_FOUND or error.details.get("code") != "NOT_FOUND":
            return error
        return CommandError(
            Code.NOT_FOUND,
            f"{self._api.url} is not the address of a catalog",
            cause="a registry answers for itself alone, under /r/NAMESPACE/NAME of a catalog",
            tries=["--server with the address of thv serve or thv-catalog, without a path"],
        )


# What several commands ask -----------------------------------------------------------------------------------


async def rows_of(
    asked: Asked, path: str, query: Query, member: str, limit: int
) -> tuple[list[JsonObject], JsonObject]:
    """The first rows of a list, and its metadata."""
    rows: list[JsonObject] = []
    metadata: JsonObject = {}
    cursor = ""
    while len(rows) < limit:
        page = {"limit": str(min(PAGE, limit - len(rows)))} | ({"cursor": cursor} if cursor else {})
        answer = await asked.read(path, {**query, **page})
        rows += objects_of(answer, member)
        metadata = metadata or object_of(answer, "metadata")
        cursor = text_of(object_of(answer, "metadata"), "next_cursor")
        if not cursor:
            break
    return rows[:limit], metadata


async def registry_named(session: Session, asked: Asked, name: str) -> JsonObject:
    """The registry of a name, also written as namespace/name; of several the one in the namespace of the session."""
    wanted = plain_name(name)
    answer = await asked.read("/api/v1/registries")
    every = objects_of(answer, "registries")
    found = [each for each in every if wanted in (text_of(each, "name"), path_of(each))]
    here = [each for each in found if text_of(each, "namespace") == chosen_namespace(session)]
    if len(found) > 1 and not here:
        raise CommandError(
            Code.AMBIGUOUS,
            f'there are {len(found)} registries "{wanted}"',
            suggestions=[path_of(each) for each in found[:10]],
            tries=["name it with its namespace"],
        )
    if not found:
        raise CommandError(
            Code.NOT_FOUND,
            f'there is no registry "{wanted}" in the catalog',
            tries=[f"{session.program} catalog list"],
            details={"name": wanted},
        )
    return (here or found)[0]


def path_of(registry: JsonObject) -> str:
    """`namespace/name`."""
    return f"{text_of(registry, 'namespace')}/{text_of(registry, 'name')}"


def chosen_namespace(session: Session) -> str:
    """The namespace that somebody chose, or that of the context; `""` where neither is known."""
    settings = session.settings
    return (
        settings.namespace if settings.has_own_namespace or settings.server else session.namespace
    )


def server_path(name: str) -> str:
    """Where a server is told of."""
    return f"/api/v1/mcp_servers/{segment(name)}"


@asynccontextmanager
async def told_where_to_look(session: Session, asked: Asked | None) -> AsyncIterator[None]:
    """Says how a server is found where one is not, and which were perhaps meant if a catalog can be asked."""
    try:
        yield
    except CommandError as error:
        details = object_of(error.details, "details")
        name = details.get("value")
        if error.details.get("code") != "SERVER_NOT_FOUND" or not isinstance(name, str):
            raise
        word = name.rpartition("/")[2] or name
        query = {"search": word[:_WORD], "limit": "3", "fields": "name"}
        found = await asked.read("/api/v1/mcp_servers", query) if asked else {}
        raise CommandError(
            error.code,
            error.message,
            suggestions=[text_of(each, "name") for each in objects_of(found, "servers")],
            tries=[f"{session.program} catalog servers --search {shlex.quote(word)}"],
            details=error.details,
        ) from error
