"""An entry: one version of one server, in the official form.

In the flow: `formats` makes entries of whatever a source holds; snapshots keep them; every format that is
served or exported is rendered from them. `server` is the server.json as its own generation wrote it, with every
field that nobody here knows; what the registry it came from said about it stands beside.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Any, Self

import msgspec

from thv.domain.canonical import JsonObject, canonical, digest_of
from thv.domain.lenient import as_object

OFFICIAL_META = "io.modelcontextprotocol.registry/official"
PUBLISHER_META = "io.modelcontextprotocol.registry/publisher-provided"
OWN_META = "io.stacklok.toolhive/registry"
GROUPS_META = "io.stacklok.toolhive/groups"
TOOLHIVE_PUBLISHER = "io.github.stacklok"

NAME_LIMIT = 200
VERSION_LIMIT = 255


class Status(StrEnum):
    """The publisher's word about a version."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    DELETED = "deleted"


class Entry(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One version of one server.

    `server` is never changed in place; whoever needs another value makes another entry. Times are RFC 3339 as
    the source wrote them, `""` where it said nothing. `meta` holds the `_meta` keys beside the official one
    that another registry put on its answer.
    """

    server: JsonObject
    status: Status = Status.ACTIVE
    status_message: str = ""
    status_changed_at: str = ""
    published_at: str = ""
    updated_at: str = ""
    marked_latest: bool = False
    meta: JsonObject = msgspec.field(default_factory=dict)

    @property
    def name(self) -> str:
        name: str = self.server["name"]
        return name

    @property
    def version(self) -> str:
        version: str = self.server["version"]
        return version

    @property
    def deleted(self) -> bool:
        return self.status is Status.DELETED

    @cached_property
    def content(self) -> JsonObject:
        """The JSON that a snapshot keeps: all but the times, of which that of another status is content."""
        said = self._said
        meta = {**self.meta, OFFICIAL_META: said} if said else self.meta
        return {"server": self.server, "_meta": meta} if meta else {"server": self.server}

    @property
    def _said(self) -> JsonObject:
        """The registry's word about the status, as far as it goes without saying nowhere."""
        said = {}
        if self.status is not Status.ACTIVE:
            said["status"] = self.status.value
            if self.status_message:
                said["statusMessage"] = self.status_message
        if self.status_changed_at not in ("", self.published_at):
            said["statusChangedAt"] = self.status_changed_at
        return said

    @cached_property
    def digest(self) -> str:
        """sha256 of the canonical content without what changes by itself."""
        return digest_of(canonical(without_volatile(self.content)))

    @classmethod
    def from_content(cls, content: JsonObject, **times: Any) -> Self:
        """The entry of what `content` gave; `times` are the fields that it leaves out."""
        meta = dict(content.get("_meta") or {})
        official = meta.pop(OFFICIAL_META, None) or {}
        return cls(
            server=content["server"],
            status=Status(official.get("status", "active")),
            status_message=official.get("statusMessage", ""),
            status_changed_at=official.get("statusChangedAt", ""),
            meta=meta,
            **times,
        )


_VOLATILE = frozenset({"stars", "pulls", "last_updated", "kubernetes"})


def without_volatile(content: JsonObject) -> JsonObject:
    """The content without star and pull counts and fetch times, which are no change of the entry."""
    server = content["server"]
    meta = as_object(server.get("_meta"))
    publisher = as_object(meta.get(PUBLISHER_META))
    extension = as_object(publisher.get(TOOLHIVE_PUBLISHER))
    if not extension:
        return content
    settled = {reference: _settled(block) for reference, block in extension.items()}
    settled_publisher = {**publisher, TOOLHIVE_PUBLISHER: settled}
    return {**content, "server": {**server, "_meta": {**meta, PUBLISHER_META: settled_publisher}}}


def _settled(block: Any) -> Any:
    metadata = block.get("metadata") if isinstance(block, dict) else None
    if not isinstance(metadata, dict):
        return block
    kept = {key: value for key, value in metadata.items() if key not in _VOLATILE}
    rest = {key: value for key, value in block.items() if key != "metadata"}
    return {**rest, "metadata": kept} if kept else rest
