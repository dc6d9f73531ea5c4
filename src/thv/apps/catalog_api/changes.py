"""C19: what changed in all registries since a token.

In the flow: followers of the catalog ask with the token of the last answer, and may wait until there is something. Each
registry has its own log; only those are looked into whose content is another one than the follower knows. What is told
goes as far as what is joined, so that a list that is asked for next has it.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable
from contextlib import suppress

import msgspec

from thv.apps.catalog_api.catalog import Catalog, catalog_of
from thv.apps.catalog_api.listing import chosen_registries
from thv.apps.catalog_api.since import MOST_REGISTRIES, Part, Sealed, Since
from thv.apps.kit.http.caching import PRIVATE
from thv.apps.kit.http.endpoints import Call
from thv.apps.kit.http.message import JSON, Answer, encode
from thv.apps.kit.http.problems import Culprit, ProblemError, Word
from thv.apps.registry_api.changes import MOST
from thv.apps.registry_api.follow import Key
from thv.apps.registry_api.served import Served
from thv.stores.catalogs.join import Joined
from thv.stores.models import log
from thv.stores.models.log import Change
from thv.stores.models.view import View


class Followed(msgspec.Struct, frozen=True):
    """The registries that a caller sees and means."""

    registries: tuple[Joined, ...]
    is_whole: bool
    """Whether none is missing that is about to be joined, as after a start."""

    @property
    def keys(self) -> frozenset[Key]:
        return frozenset(map(key_of, self.registries))


class Told(msgspec.Struct, frozen=True):
    """What a follower is told."""

    changes: tuple[tuple[Joined, Change], ...]
    since: str
    more: bool


async def list_changes(call: Call) -> Answer:
    """C19: the changes, oldest first within a registry; without a token only the current one."""
    catalog = catalog_of(call)
    followed = await _followed(call, catalog)
    since: Sealed | None = call.values["since"]
    if since is None:
        now = Since({key_of(each): each.content for each in followed.registries})
        return _answer(Told((), str(now), more=False))
    told = _told(catalog, followed, since)
    with suppress(TimeoutError):  # see `Controller`: asyncio.wait_for may lose a cancellation
        async with asyncio.timeout(call.values["wait"]):
            # What is not seen wakes nobody, and what wakes is seen anew: rights may have changed.
            while not (told.changes or told.more):
                await catalog.wait_for_join(followed.keys)
                followed = await _followed(call, catalog)
                told = _told(catalog, followed, since)
    return _answer(told)


async def _followed(call: Call, catalog: Catalog) -> Followed:
    visible = await catalog.visible(call)
    scope = catalog.shelf.scope(served.owner for served in visible)
    seen = chosen_registries(scope, call.values["registry"])
    if len(seen.registries) > MOST_REGISTRIES:
        message = f"is required where there are more than {MOST_REGISTRIES} registries to follow"
        raise ProblemError(
            Word.INVALID_REQUEST,
            f"registry {message}.",
            culprits=[Culprit(message, "query.registry")],
            field="registry",
        )
    is_whole = catalog.is_at_rest or not any(_is_awaited(catalog, each) for each in visible)
    return Followed(seen.registries, is_whole)


def _is_awaited(catalog: Catalog, served: Served) -> bool:
    has_content = served.registry.status.snapshot is not None
    return has_content and catalog.shelf.find(served.owner) is None


def key_of(joined: Joined) -> Key:
    """Namespace and name."""
    return joined.namespace, joined.name


def _answer(told: Told) -> Answer:
    shown = [
        {"registry": joined.title, **msgspec.structs.asdict(change)}
        for joined, change in told.changes
    ]
    body = {"changes": shown, "since": told.since, "more": told.more}
    return Answer(200, (JSON, PRIVATE), encode(body), rows=len(shown))


# ---------------------------------------------------------------- what is told


def _told(catalog: Catalog, followed: Followed, sealed: Sealed) -> Told:
    """Everything since then, as far as it fits into one answer; raises CURSOR_EXPIRED."""
    since = sealed.opened(_known(catalog, followed.registries, sealed))
    if since is None:
        raise _expired() if followed.is_whole else _not_joined()
    reading = _Reading(catalog, since)
    reading.read_all(followed.registries)
    # Each registry's own order is kept, whatever the clock did.
    found = tuple(heapq.merge(*reading.found, key=lambda each: each[1].at))
    return Told(found, str(Since(reading.known, reading.part)), reading.more)


def _known(catalog: Catalog, registries: Iterable[Joined], sealed: Sealed) -> dict[Key, str]:
    """What the follower knows of each registry; nothing of those that are new to it."""
    known: dict[Key, str] = {}
    for joined in registries:
        key = key_of(joined)
        if sealed.knows(key, joined.content):
            known[key] = joined.content
            continue
        marks = log.marks(_view(catalog, joined).model.connection)
        content = next((each.content for each in marks if sealed.knows(key, each.content)), None)
        if content is not None:
            known[key] = content
    return known


def _expired() -> ProblemError:
    """A registry that the token knows is gone, or has forgotten what it held then."""
    return ProblemError(
        Word.CURSOR_EXPIRED,
        "The changes since then are no longer kept, or are of registries that are not there any more.",
        field="since",
        hint="List the servers once more, and follow the token of an answer without since.",
    )


def _not_joined() -> ProblemError:
    return ProblemError(
        Word.SNAPSHOT_UNAVAILABLE, "Not every registry was joined yet.", retry_after=1
    )


def _view(catalog: Catalog, joined: Joined) -> View:
    return catalog.served(joined).view()


class _Reading:
    """One answer in the making: registries are read one after the other until it is full."""

    def __init__(self, catalog: Catalog, since: Since) -> None:
        self._catalog = catalog
        self._begun = since.part
        self._room = MOST
        self.known = dict(since.known)
        self.part: Part | None = None
        self.found: list[list[tuple[Joined, Change]]] = []
        self.more = False

    def read_all(self, registries: Iterable[Joined]) -> None:
        """What each of them has to tell; first the one that was begun, so that no other one is begun beside it."""
        begun = self._begun.key if self._begun else None
        for joined in sorted(registries, key=lambda each: (key_of(each) != begun, key_of(each))):
            self._read(joined)

    def _read(self, joined: Joined) -> None:
        key = key_of(joined)
        part = self._begun if self._begun is not None and self._begun.key == key else None
        if part is None and self.known.get(key) == joined.content:
            return
        if not self._room:
            self.more = True
            return
        part = part or Part(key, 0, anew=key not in self.known)
        content = self.known.setdefault(key, joined.content)
        look = self._anew if part.anew else self._logged
        found, reached = look(joined, content, part.read)
        taken = found[: self._room]
        self._room -= len(taken)
        self.found.append([(joined, change) for change in taken])
        if len(found) > len(taken):
            self.part, self.more = Part(key, part.read + len(taken), part.anew), True
        else:
            self.known[key] = reached
            # What happened while somebody was told of a new one is in its log.
            self.more = self.more or (part.anew and reached != joined.content)

    def _anew(self, joined: Joined, content: str, read: int) -> tuple[list[Change], str]:
        """Everything that a registry has, and the content in which it has it."""
        try:
            view = self._catalog.served(joined).view_of(content)
        except ProblemError as problem:
            raise _expired() from problem
        return log.beginning(view, read, self._room + 1), content

    def _logged(self, joined: Joined, content: str, read: int) -> tuple[list[Change], str]:
        """What happened to a registry, and the content to which it leads."""
        connection = _view(self._catalog, joined).model.connection
        began = log.position_of(connection, content)
        ends = log.position_of(connection, joined.content)
        if began is None or ends is None:
            raise _expired()
        if ends < began:
            return [], content  # The token is from somebody who has joined more.
        found = log.read(connection, began + read, self._room + 1)
        return [change for change in found if change.seq <= ends], joined.content
