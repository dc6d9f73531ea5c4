"""The files of a bundle, one after the other.

In the flow: after `carried`, before a store of bundles. The same registry gives the same bytes; entries are gone over
once a file, so that a registry of any size takes no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import msgspec

from thv.catalog.bundle.applied import manifests
from thv.catalog.bundle.carried import Image, carried, image_of, page_of
from thv.catalog.bundle.pages import page
from thv.catalog.bundle.readme import readme
from thv.domain.entry import Entry
from thv.domain.errors import Code, ThvError
from thv.formats.bundle import Catalog, Media, Part
from thv.formats.documents import Head, official_document, toolhive_document

PAGE_LIMIT = 2_000
"""Servers up to which each has a page of its own."""
REGISTRY = "registry.json"


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle is made of."""

    catalog: Catalog
    entries: Callable[[], Iterable[Entry]]
    """The latest version of each server, afresh at each call."""

    @property
    def has_pages(self) -> bool:
        """Whether its servers have pages."""
        return self.catalog.servers <= PAGE_LIMIT

    def carried(self) -> Iterator[Entry]:
        """The entries as they are on the other side."""
        for entry in self.entries():
            there = page_of(entry) if self.has_pages else ""
            yield carried(entry, image_registry=self.catalog.image_registry, page=there)

    def document(self) -> Iterator[bytes]:
        """The registry in ToolHive's format."""
        return toolhive_document(self.carried, self._head)

    def official(self) -> Iterator[bytes]:
        """The registry in the official format."""
        return official_document(self.carried, self._head)

    @property
    def _head(self) -> Head:
        return Head(version="1.0.0", last_updated=self.catalog.created)


def parts(contents: Contents) -> Iterator[Part]:
    """Every file of the bundle."""
    applied = manifests(contents.catalog, contents.document())
    yield Part(REGISTRY, Media.TOOLHIVE, contents.document())
    yield Part("registry.upstream.json", Media.UPSTREAM, contents.official())
    images = images_of(contents)
    is_moved = bool(contents.catalog.image_registry)
    yield Part("images.txt", Media.IMAGES, _lines(images, is_moved=is_moved))
    if applied:
        yield Part(f"manifests/{contents.catalog.name}.yaml", Media.MANIFESTS, [applied])
    if contents.has_pages:
        yield from (Part(page_of(each), Media.PAGE, [page(each)]) for each in contents.carried())
    said = readme(contents.catalog, images, is_applied=bool(applied))
    yield Part("README.md", Media.PAGE, [said])


def images_of(contents: Contents) -> list[Image]:
    """Every image once; raises CONFLICT where two would lie in one place of the other side."""
    registry = contents.catalog.image_registry
    found = (image_of(entry, registry) for entry in contents.entries())
    images = sorted({image for image in found if image})
    for first, second in pairwise(sorted(images, key=lambda image: image.target)):
        if first.target == second.target:
            raise ThvError(
                Code.CONFLICT,
                f"{first.source} and {second.source} would both be {first.target}",
                hint="Save one of the two servers alone, with --server, or give their images names of their own.",
            )
    return images


def _lines(images: Iterable[Image], *, is_moved: bool) -> Iterator[bytes]:
    """Where each is pulled from, and where it is pushed to if that is elsewhere."""
    for image in images:
        yield (f"{image.source} {image.target}\n" if is_moved else f"{image.source}\n").encode()
