"""An entry as it is where there is no way out: its image in the registry of the place, its page beside it.

In the flow: before `parts`. What does not change is left as it is, so that most entries of a large registry go through
without being converted.
"""

from __future__ import annotations

import re

import msgspec

from thv.catalog.generate.entry import image_digest, mirrored, with_own
from thv.domain.canonical import JsonObject, digest_of
from thv.domain.entry import GROUPS_META, Entry
from thv.domain.target import Container, target_of
from thv.domain.text import object_name, toolhive_key
from thv.formats.images import is_reference, pinned
from thv.formats.toolhive import Placed, as_version, entry_of_toolhive, placed_entry


class Image(msgspec.Struct, frozen=True, order=True):
    """An image that has to be carried."""

    source: str
    """Where it is pulled from: by its digest where somebody knows it, else by its tag."""
    target: str
    """Where it is run from."""

    @property
    def is_pinned(self) -> bool:
        """Whether the pull cannot bring another one."""
        return "@" in self.source


_PLAIN = re.compile(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?", re.ASCII)
_HASHED = re.compile(r"-[0-9a-f]{8}$")


def page_of(entry: Entry) -> str:
    """Where the page of a server lies in a bundle; two servers never share one, on no file system."""
    key = toolhive_key(entry.name)
    is_plain = _PLAIN.fullmatch(key) and not _HASHED.search(key)
    hashed = f"{object_name(key)[:52]}-{digest_of(key.encode())[-8:]}"
    return f"docs/{key if is_plain else hashed}/README.md"


def image_of(entry: Entry, image_registry: str = "") -> Image | None:
    """The image of a server, None where it is run of something else, or of what no runtime can look for."""
    target = target_of(entry.server)
    if not isinstance(target, Container) or not is_reference(target.reference):
        return None
    value = placed_entry(entry).value
    plain = str(value["image"]).partition("@")[0]
    digest = image_digest(value)
    moved = mirrored(plain, image_registry) if image_registry else plain
    return Image(pinned(plain, digest), moved)


def carried(entry: Entry, *, image_registry: str = "", page: str = "") -> Entry:
    """The entry for the other side; `page` is where its documentation lies in the bundle, `""` for none."""
    image = image_of(entry, image_registry) if image_registry else None
    if image is None and not page:
        return entry
    placed = placed_entry(entry)
    value = with_own(placed.value, offline_docs_path=page)
    if image is not None:
        value = with_own({**value, "image": image.target}, image_digest=image_digest(value))
    return _again(entry, Placed(placed.key, placed.section, value))


def _again(entry: Entry, placed: Placed) -> Entry:
    """The changed entry, with what its registry said of the version and with its groups."""
    kept = as_version(placed, entry.version)
    made = entry_of_toolhive(kept.key, kept.value, section=kept.section)
    return msgspec.structs.replace(
        made,
        server=_in_groups_of(entry, made.server),
        published_at=entry.published_at,
        updated_at=entry.updated_at,
        marked_latest=entry.marked_latest,
    )


def _in_groups_of(entry: Entry, server: JsonObject) -> JsonObject:
    groups = entry.server.get("_meta", {}).get(GROUPS_META)
    if not groups:
        return server
    return {**server, "_meta": {**server.get("_meta", {}), GROUPS_META: groups}}
