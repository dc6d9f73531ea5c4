"""Data that ships with the package: schemas, the taxonomy of categories, sample registries, reference texts.

In the flow: read once by whoever needs it; there is no code here.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable


def read(name: str) -> bytes:
    """The bytes of a data file, by its path inside this folder."""
    return files(__name__).joinpath(name).read_bytes()


def paths(folder: str) -> tuple[str, ...]:
    """The data files below a folder, sorted, as `read` takes them."""
    return tuple(sorted(_below(files(__name__).joinpath(folder), folder)))


def _below(place: Traversable, path: str) -> Iterator[str]:
    if place.is_file():
        yield path
        return
    for item in place.iterdir():
        yield from _below(item, f"{path}/{item.name}")
