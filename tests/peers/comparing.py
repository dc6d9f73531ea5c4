"""What a follower says otherwise than the registry that it follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.peers.official import META, Asking, Json, Key, key_of

_CLOSED = "updatedAt"
"""Each registry's own: a follower moves it when an entry stops being the latest, the official one does not."""


class Held(NamedTuple):
    """Everything that a registry lists."""

    alive: dict[Key, Json]
    deleted: frozenset[Key]

    @classmethod
    def of(cls, asking: Asking, **query: str) -> Held:
        every = {key_of(item): item for item in asking.items(include_deleted="true", **query)}
        gone = frozenset(
            key for key, item in every.items() if _official(item)["status"] == "deleted"
        )
        return cls({key: item for key, item in every.items() if key not in gone}, gone)

    @property
    def latest(self) -> dict[Key, Json]:
        """Of each name the version that is marked."""
        return {key: item for key, item in self.alive.items() if _official(item)["isLatest"]}

    @property
    def undecided(self) -> set[str]:
        """Names of which a deleted version is the latest although others live.

        The official registry comes to that when a version is published that is lower than one that was deleted.
        """
        return {name for name, _ in self.alive} - {name for name, _ in self.latest}


def differences(theirs: Held, ours: Held, seen: Iterable[Key]) -> list[str]:
    """Of a follower of all versions; `seen` is what it ever listed: what it never did leaves no trace there."""
    found = [*_differing(theirs.alive, ours.alive), *_wrong_marks(theirs, ours)]
    gone = theirs.deleted & frozenset(seen)
    found += [f"{key} is not told as deleted" for key in sorted(gone - ours.deleted)]
    found += [f"{key} is told as deleted" for key in sorted(ours.deleted - gone)]
    return found


def latest_differences(theirs: Held, ours: Held) -> list[str]:
    """Of a follower of latest versions only."""
    held = {key: item for key, item in ours.alive.items() if key[0] not in theirs.undecided}
    return list(_differing(theirs.latest, held))


def _differing(theirs: dict[Key, Json], ours: dict[Key, Json]) -> Iterator[str]:
    yield from (f"{key} is missing" for key in sorted(theirs.keys() - ours.keys()))
    yield from (f"{key} is too much" for key in sorted(ours.keys() - theirs.keys()))
    for key in sorted(theirs.keys() & ours.keys()):
        if _facts(theirs[key]) != _facts(ours[key]):
            yield f"{key}: {_facts(theirs[key])} became {_facts(ours[key])}"


def _wrong_marks(theirs: Held, ours: Held) -> Iterator[str]:
    decided = {key for key in ours.latest if key[0] not in theirs.undecided}
    yield from (f"{key} is not the latest" for key in sorted(theirs.latest.keys() ^ decided))
    marked = [name for name, _ in ours.latest]
    for name in sorted({name for name, _ in ours.alive}):
        if marked.count(name) != 1:
            yield f"{name} has {marked.count(name)} latest versions"


def _facts(item: Json) -> Json:
    official = {
        name: value for name, value in _official(item).items() if name not in (_CLOSED, "isLatest")
    }
    return {"server": item["server"], **official}


def _official(item: Json) -> Json:
    found: Json = item["_meta"][META]
    return found
