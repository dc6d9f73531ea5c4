"""The official API over all registries of a door: one row a name and version.

In the flow: at the root beside the registries' own bases. Where several hold the same row, the best registry
answers: trust, then the administrator's order, then namespace and name; what the others hold differently is
listed as its shadows.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import groupby, islice
from typing import Literal, Protocol, TypeAlias

import msgspec

from thv.apps.kit.http.caching import (
    PRIVATE,
    PUBLIC,
    Validators,
    has_tag,
    is_current,
    not_modified,
    weak_tag,
)
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import Answer, Header, Request, encode
from thv.apps.kit.http.problems import ProblemError, Word
from thv.apps.registry_api import official
from thv.apps.registry_api.cursors import Cursor, cursor_text
from thv.apps.registry_api.pages import PLAIN_JSON, listed, resolved
from thv.apps.registry_api.served import Served
from thv.apps.registry_api.standing import Standing
from thv.domain.registry import TrustLevel
from thv.stores.models import lookup
from thv.stores.models import official as lists
from thv.stores.models.bodies import MARK
from thv.stores.models.lookup import Read, Version
from thv.stores.models.official import Row
from thv.stores.models.plans import PAGE_LIMIT
from thv.stores.models.query import LATEST, START, Form, OfficialQuery, Position
from thv.stores.models.view import View

Scope: TypeAlias = Literal["all", "trusted", "off"]


class Visible(Protocol):
    """Tells the registries of these of which the caller may know."""

    def __call__(
        self, request: Request, candidates: list[Served], /, *, forwards: bool = False
    ) -> Awaitable[list[Served]]:
        """`forwards`: the token is one that is sent on."""
        ...


class Part(msgspec.Struct, frozen=True):
    """A registry in one generation."""

    served: Served
    view: View
    rank: int
    """The best registry has 0."""


class Held(msgspec.Struct, frozen=True):
    """A row and the registry that holds it."""

    part: Part
    row: Row


class Aggregate:
    """The official reads over several registries."""

    def __init__(
        self,
        every: Callable[[], Iterable[Served]],
        *,
        scope: Scope,
        order: tuple[str, ...] = (),
        visible: Visible | None = None,
    ) -> None:
        """`order` names registries as `namespace/name`, the best first; `visible` limits what a caller sees."""
        self._every = every
        self._scope = scope
        self._standing = Standing(order)
        self._visible = visible

    async def list_servers(self, call: Call) -> Answer:
        """O1 over all."""
        query = official.official_query(call.values)
        cursor: Cursor | None = call.values["cursor"]
        after = cursor.position if cursor else START
        parts = await self._parts(call.request)

        def make() -> bytes:
            merged = _merged(parts, query, after, call.values["limit"] + 1)
            return _page(merged, query, after, call.values["limit"])

        return _answer(call, parts, make)

    async def list_versions(self, call: Call) -> Answer:
        """O2 over all."""
        parts = await self._parts(call.request)

        def make() -> bytes:
            held = _versions(parts, call)
            if not held:
                raise official.not_found(Word.SERVER_NOT_FOUND, "serverName", call.names["name"])
            by_version = {read.version.version: (part, read) for part, read in reversed(held)}
            newest = lookup.newest_first([read for _, read in by_version.values()])
            bodies = [_sealed_version(*by_version[read.version.version], held) for read in newest]
            return listed(b"servers", bodies, {"count": len(bodies)})

        return _answer(call, parts, make)

    async def read_version(self, call: Call) -> Answer:
        """O3 over all."""
        return await self._read(call, call.names["version"])

    async def read_latest(self, call: Call) -> Answer:
        """O4 over all."""
        return await self._read(call, LATEST)

    async def _read(self, call: Call, text: str) -> Answer:
        parts = await self._parts(call.request)

        def make() -> bytes:
            held = _versions(parts, call)
            if not held:
                raise official.not_found(Word.SERVER_NOT_FOUND, "serverName", call.names["name"])
            for part, read in held:
                found = read.version
                if found.latest if text == LATEST else found.version == text:
                    return _sealed_version(part, read, held)
            raise official.not_found(Word.VERSION_NOT_FOUND, "version", text)

        return _answer(call, parts, make)

    async def _parts(self, request: Request) -> list[Part]:
        """The registries to answer from, the best first."""
        if self._scope == "off":
            raise ProblemError(
                Word.NOT_FOUND, "The aggregate of all registries is switched off.", hint=self.hint()
            )
        candidates = [served for served in self._every() if self._is_in_scope(served)]
        if self._visible is not None:
            candidates = await self._visible(request, candidates)
        ready = sorted((s for s in candidates if s.model is not None), key=self._standing.of)
        return [Part(served, served.view(), rank) for rank, served in enumerate(ready)]

    def _is_in_scope(self, served: Served) -> bool:
        return self._scope == "all" or served.registry.spec.trust_level is TrustLevel.TRUSTED

    def hint(self) -> str:
        """Where the registries are."""
        if self._visible is not None:  # which there are is told to those who may list them
            return "Each registry has a base /r/<namespace>/<registry>."
        bases = [f"/r/{'/'.join(served.owner)}" for served in self._every()]
        if not bases:
            return "No registry is served yet; each gets a base /r/<namespace>/<registry>."
        return f"Registries are at {', '.join(bases[:10])}{', ...' if len(bases) > 10 else ''}."


# ---------------------------------------------------------------- lists


def _merged(
    parts: list[Part], query: OfficialQuery, after: Position, limit: int
) -> list[list[Held]]:
    """The rows behind a position, each with everybody who holds it, the best first."""
    streams = [_stream(part, query, after, limit) for part in parts]
    rows = heapq.merge(*streams, key=lambda held: (_key(held, query), held.part.rank))
    groups = groupby(rows, key=lambda held: _key(held, query))
    return [list(group) for _, group in islice(groups, limit)]


def _key(held: Held, query: OfficialQuery) -> tuple[str, str]:
    """A list of latest versions has one row a name, whatever the versions are."""
    return (held.row.name, "" if query.version == LATEST else held.row.version)


def _stream(part: Part, query: OfficialQuery, after: Position, limit: int) -> Iterator[Held]:
    # A position among the rows of one registry says nothing about another one.
    position = Position(0, after.key)
    for row in lists.rows(part.view, query, position, limit):
        yield Held(part, row)


def _page(merged: list[list[Held]], query: OfficialQuery, after: Position, limit: int) -> bytes:
    bodies: list[bytes] = []
    size = 0
    for group in merged[:limit]:
        size += group[0].row.size
        if bodies and size > PAGE_LIMIT:
            break
        bodies.append(_sealed(group, shadows=query.version != LATEST))
    following = ""
    if len(bodies) < len(merged):
        last = merged[len(bodies) - 1][0].row
        following = cursor_text(Position(after.place + len(bodies), (last.name, last.version)))
    return listed(b"servers", bodies, official.metadata(len(bodies), following))


def _sealed(group: list[Held], *, shadows: bool) -> bytes:
    best, *others = group
    body = best.part.view.model.body(Form.OFFICIAL, best.row.place, best.row.size)
    differing = list(_shadows(best, others)) if shadows and others else []
    return _with_shadows(best.part, body, differing)


def _shadows(best: Held, others: list[Held]) -> Iterator[tuple[Part, str]]:
    mine = lists.digests(best.part.view, [best.row.item])[best.row.item]
    for held in others:
        digest = lists.digests(held.part.view, [held.row.item])[held.row.item]
        if digest != mine:
            yield held.part, digest


def _with_shadows(part: Part, body: bytes, shadows: list[tuple[Part, str]]) -> bytes:
    """What the registry says, and what the others hold in its place."""
    found = [
        {"namespace": p.served.owner[0], "name": p.served.owner[1], "revision": digest}
        for p, digest in shadows
    ]
    seal = part.served.seal(part.view).official + b'"shadows":' + encode(found) + b","
    return body.replace(MARK, seal)


# ---------------------------------------------------------------- single servers


def _versions(parts: list[Part], call: Call) -> list[tuple[Part, Read]]:
    """The versions of the server in the path in every registry, those of the best first."""
    found: list[tuple[Part, Read]] = []
    for part in parts:
        name = lookup.name_of(part.view, call.names["name"])
        if name is not None:
            include = call.values["include_deleted"]
            every = lookup.versions(part.view, name, include_gone=include)
            found.extend((part, lookup.read(part.view, version)) for version in every)
    return found


def _sealed_version(part: Part, read: Read, held: list[tuple[Part, Read]]) -> bytes:
    version: Version = read.version
    body = part.view.model.body(Form.OFFICIAL, version.place, version.size)
    shadows = [
        (other, each.said.revision)
        for other, each in held
        if other is not part
        and each.version.version == version.version
        and each.said.revision != read.said.revision
    ]
    return _with_shadows(part, body, shadows)


# ---------------------------------------------------------------- answers


def _answer(call: Call, parts: list[Part], make: Callable[[], bytes]) -> Answer:
    state = [
        (*part.served.owner, part.view.generation.content, part.served.seal(part.view).tag)
        for part in parts
    ]
    digest = "sha256:" + hashlib.sha256(encode(state)).hexdigest()
    etag = weak_tag(digest, call.endpoint.id, "aggregate", call.names, resolved(call.values))
    validators = Validators(etag)
    headers = (*validators.headers(), _cache_control(call, parts))
    if has_tag(call.request, etag):
        return not_modified(headers)
    body = make()
    if is_current(call.request, validators):
        return not_modified(headers)
    return Answer(200, (PLAIN_JSON, *headers), body)


def _cache_control(call: Call, parts: list[Part]) -> Header:
    is_public = all(part.served.registry.spec.api.anonymous_read for part in parts)
    return PUBLIC if is_public and b"authorization" not in call.request.headers else PRIVATE
