"""What both sides are asked, and whether they say the same: compared before anything is timed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from bench.peers.load import SEED
from bench.peers.sides import Side, ask, pages

META = "io.modelcontextprotocol.registry/official"
Key = tuple[str, str]
Item = dict[str, Any]


class Same(msgspec.Struct, frozen=True):
    """What both hold, and where each has its pages."""

    keys: list[Key]
    pages: dict[str, list[str]]
    """Of each side the addresses of all pages of 100."""
    other_pages: dict[str, list[str]]
    """Of each side as many addresses of pages of 100 that begin elsewhere."""

    @property
    def whole(self) -> list[str]:
        """Names of which no version is deleted: of others the seeder marks a deleted version as the latest."""
        versions: dict[str, int] = {}
        for name, _ in self.keys:
            versions[name] = versions.get(name, 0) + 1
        return [name for name, count in versions.items() if count == 3]


class DifferentError(Exception):
    """The two sides say different things; to time them would mean nothing."""


def compared(theirs: Side, ours: Side) -> Same:
    """Every page of both, held against each other."""
    keys: list[Key] = []
    places: dict[str, list[str]] = {theirs.name: [], ours.name: []}
    for (their_path, their_items), (our_path, our_items) in zip(
        pages(theirs, limit=100), pages(ours, limit=100), strict=True
    ):
        _require_same(their_path, their_items, our_items)
        keys += [_key(item) for item in our_items]
        places[theirs.name].append(their_path)
        places[ours.name].append(our_path)
    others = {side.name: list(_other_pages(side)) for side in (theirs, ours)}
    return Same(keys, places, others)


def _other_pages(side: Side) -> Iterator[str]:
    """Pages of 100 that begin where one of 37 ends."""
    for path, _ in pages(side, limit=37):
        yield path.replace("limit=37", "limit=100")


def same_details(theirs: Side, ours: Side, paths: list[str]) -> None:
    for path in paths:
        answers = [json.loads(ask(side.port, path)[2]) for side in (theirs, ours)]
        _require_same(path, [answers[0]], [answers[1]])


def same_searches(theirs: Side, ours: Side, paths: list[str]) -> list[str]:
    """Those that both answer with the same entries, and some; there must be hardly any others."""
    kept = []
    for path in paths:
        found = [json.loads(ask(side.port, path)[2])["servers"] for side in (theirs, ours)]
        if found[0] and [_key(item) for item in found[0]] == [_key(item) for item in found[1]]:
            kept.append(path)
    if len(kept) < 0.98 * len(paths):
        raise DifferentError(f"only {len(kept)} of {len(paths)} searches find the same")
    return kept


def _require_same(path: str, theirs: list[Item], ours: list[Item]) -> None:
    for their_item, our_item in zip(theirs, ours, strict=True):
        if _facts(their_item) != _facts(our_item):
            raise DifferentError(f"{path}: {their_item} is not {our_item}")


def _key(item: Item) -> Key:
    return item["server"]["name"], item["server"]["version"]


def _facts(item: Item) -> tuple[Any, ...]:
    official = item["_meta"][META]
    return item["server"], official["status"], official["publishedAt"]


# ---------------------------------------------------------------- addresses


def details(same: Same, count: int) -> list[str]:
    """Of names at random, half of them in their latest version."""
    rnd = random.Random(SEED)
    names = rnd.sample(same.whole, min(count // 2, len(same.whole)))
    exact = rnd.sample(same.keys, min(count // 2, len(same.keys)))
    return [
        *(f"/v0.1/servers/{quote(name, safe='')}/versions/latest" for name in names),
        *(f"/v0.1/servers/{quote(name, safe='')}/versions/{version}" for name, version in exact),
    ]


def searches(same: Same, count: int) -> list[str]:
    """Different words, of which each is part of some name: whole numbers, ends of names, beginnings of them."""
    rnd = random.Random(SEED + 1)
    words: dict[str, None] = {}
    names = [name for name, _ in same.keys]
    while len(words) < count:
        name = rnd.choice(names)
        length = rnd.randrange(6, 24)
        begin = rnd.randrange(max(1, len(name) - length))
        words[name[begin : begin + length]] = None
    return [f"/v0.1/servers?limit=100&search={quote(word, safe='')}" for word in words]


def repeating(paths: list[str]) -> list[str]:
    """As many requests, of which a third repeats an earlier one."""
    rnd = random.Random(SEED + 2)
    asked: list[str] = []
    fresh = iter(paths)
    for number in range(len(paths)):
        again = number % 3 == 2
        asked.append(rnd.choice(asked) if again else next(fresh))
    return asked
