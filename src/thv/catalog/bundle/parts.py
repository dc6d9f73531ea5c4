"""The files of a bundle, one after the other.

In the flow: after `carried`, before a store of bundles. The same registry gives the same bytes. A large one is gone over
once for each file, so that it takes no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

import msgspec

from thv.catalog.bundle.applied import Packing, manifests
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


def parts(contents: Contents, images: Sequence[Image]) -> Iterator[Part]:
    """Every file of the bundle, to be taken one after the other; `images` are those of `images_of`."""
    catalog, entries = contents.catalog, _again(contents)
    head = Head(version="1.0.0", last_updated=catalog.created)
    packing = Packing()
    document = packing.through(toolhive_document(entries, head))
    yield Part(REGISTRY, Media.TOOLHIVE, document)
    yield Part("registry.upstream.json", Media.UPSTREAM, official_document(entries, head))
    yield Part("images.txt", Media.IMAGES, _lines(images, is_moved=bool(catalog.image_registry)))
    applied = manifests(catalog, packing)
    if applied:
        yield Part(f"manifests/{catalog.name}.yaml", Media.MANIFESTS, [applied])
    if contents.has_pages:
        yield from (Part(page_of(each), Media.PAGE, [page(each)]) for each in entries())
    yield Part("README.md", Media.PAGE, [readme(catalog, images, is_applied=bool(applied))])


def _again(contents: Contents) -> Callable[[], Iterable[Entry]]:
    """The carried entries at each call: few of them are kept, many are made anew."""
    if not contents.has_pages:
        return contents.carried
    kept = tuple(contents.carried())
    return lambda: kept


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
