"""A process that applies snapshots, to be killed: python -m tests.stores.models.applying FOLDER FIRST LAST

Snapshot n is the same in every process: some entries, all of which say n. Most differ from their neighbours in a few
rows more or less, each fourth in so many that the model is built anew.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.stores.models.world import NOW, World, an_entry
from thv.domain.entry import Entry
from thv.domain.snapshot import Key

_FEW, _MANY = 30, 1100


def entries(number: int) -> list[Entry]:
    """What snapshot `number` holds."""
    count = (_MANY if number % 4 == 3 else _FEW) + number % 3
    return [an_entry(f"com.example/s{n:04}", description=f"n{number}") for n in range(count)]


def keys(number: int) -> list[Key]:
    """Who is in it."""
    return [(entry.name, entry.version) for entry in entries(number)]


async def apply(path: Path, number: int) -> str:
    """Applies snapshot `number`; says how."""
    world = World(*entries(number))
    return (await world.apply(path, world.snapshot(), now=NOW + number / 100)).how


async def main(path: Path, first: int, last: int) -> None:
    for number in range(first, last + 1):
        how = await apply(path, number)
        print(number, how, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
