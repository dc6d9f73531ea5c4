"""JSON values with one or two things wrong: members gone, of another type, doubled, or where they do not belong."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

JUNK: list[Any] = [
    None, True, 0, 1.5, 80, 70_000, -1, 2**70, "", "x", "latest", "Active", "stdio", "sse", "named", "positional",
    "ünï", "a" * 600, "x/y", "/a/b", "/a/", ".x.com", "https://example.com/a", "http://a b", "http://[::1]:80/x",
    "2025-01-01T00:00:00Z", [], {}, [1], ["a", "a"], [80, 80], {"a": 1},
]  # fmt: skip
SEED = 20251211


def mutations(originals: list[Any], count: int) -> Iterator[Any]:
    """So many mutations, the same every time."""
    chance = random.Random(SEED)
    keys = sorted(
        {
            part
            for value in originals
            for path in places(value)
            for part in path
            if isinstance(part, str)
        }
    )
    for _ in range(count):
        value = copy.deepcopy(chance.choice(originals))
        for _ in range(chance.choice((1, 1, 2))):
            _mutate(value, keys, chance)
        yield value


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a value."""
    yield path
    inner: Any = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, item in inner:
        yield from places(item, (*path, key))


def _mutate(value: Any, keys: list[str], chance: random.Random) -> None:
    paths = [path for path in places(value) if path]
    if not paths:
        return
    path = chance.choice(paths)
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    junk = copy.deepcopy(chance.choice(JUNK))
    match chance.randrange(4):
        case 0:
            del holder[path[-1]]
        case 1 if isinstance(holder, dict):
            holder[chance.choice(keys)] = chance.choice([junk, copy.deepcopy(holder[path[-1]])])
        case 1:
            holder.append(copy.deepcopy(holder[path[-1]]))
        case _:
            holder[path[-1]] = junk
