"""What one asks of an entry: the attributes that filters, labels, search and statistics use.

In the flow: between an entry and every decision about it. Facts are read tolerantly: a field of a wrong type is
an absent fact, never an error.
"""

from __future__ import annotations

from typing import Any

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.entry import PUBLISHER_META, TOOLHIVE_PUBLISHER, Entry, Status
from thv.domain.lenient import as_object, as_text
from thv.domain.target import target_of
from thv.domain.taxonomy import NO_TAXONOMY, Taxonomy
from thv.domain.text import toolhive_key

LARGEST = (1 << 53) - 1
"""The largest number that every reader of JSON, and every table, takes as it is."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes of one entry. Absent knowledge is `""`, an empty tuple, or None; never a guess."""

    name: str
    key: str
    """The name in ToolHive's spelling."""
    version: str
    title: str
    description: str
    kind: str
    """`container`, `remote`, `package` or `none`."""
    reference: str
    """The image, URL or package reference that is run; `""` for kind `none`."""
    transport: str
    tier: str
    status: Status
    category: str
    category_derived: bool
    tags: tuple[str, ...]
    tools: tuple[str, ...]
    stars: int | None
    pulls: int | None
    custom: dict[str, str]
    """The scalar keys of the custom metadata, as label selectors see them."""


def facts_of(entry: Entry, taxonomy: Taxonomy = NO_TAXONOMY) -> Facts:
    """The facts of an entry; a category that it does not declare is derived by the taxonomy."""
    server = entry.server
    target = target_of(server)
    publisher = publisher_of(server)
    block = toolhive_block(server, target.reference)
    custom = as_object(block.get("custom_metadata"))
    tags = (
        _texts(block.get("tags"))
        or _texts(publisher.get("tags"))
        or _texts(publisher.get("keywords"))
    )
    metadata = as_object(block.get("metadata"))
    declared = _declared_category(custom, block, publisher)
    name, title, description = (
        entry.name,
        as_text(server.get("title")),
        as_text(server.get("description")),
    )
    return Facts(
        name=name,
        key=toolhive_key(name),
        version=entry.version,
        title=title,
        description=description,
        kind=target.kind,
        reference=target.reference,
        transport=target.transport,
        tier=as_text(block.get("tier")),
        status=status_of(entry, block),
        category=declared
        or taxonomy.derive(tags=tags, name=name, title=title, description=description),
        category_derived=not declared,
        tags=tags,
        tools=_texts(block.get("tools")) or _defined_tools(block.get("tool_definitions")),
        stars=_count(metadata.get("stars")),
        pulls=_count(metadata.get("pulls")),
        custom={key: _scalar(value) for key, value in custom.items() if _scalar(value)},
    )


class FactsReader:
    """The facts of versions that come name by name: most of them differ only in what is run."""

    def __init__(self, taxonomy: Taxonomy = NO_TAXONOMY) -> None:
        self._taxonomy = taxonomy
        self._text: JsonObject | None = None
        self._entry: Entry | None = None
        self._facts: Facts | None = None

    def read(self, entry: Entry) -> Facts:
        """The same as `facts_of`."""
        text = _text_of(entry.server)
        if self._facts is None or text is None or text != self._text or not self._is_alike(entry):
            self._facts = facts_of(entry, self._taxonomy)
        else:
            target = target_of(entry.server)
            self._facts = msgspec.structs.replace(
                self._facts,
                version=entry.version,
                kind=target.kind,
                reference=target.reference,
                transport=target.transport,
            )
        self._text, self._entry = text, entry
        return self._facts

    def _is_alike(self, entry: Entry) -> bool:
        return self._entry is not None and self._entry.status is entry.status


_PER_VERSION = frozenset({"version", "packages", "remotes", "$schema"})


def _text_of(server: JsonObject) -> JsonObject | None:
    """What decides the facts besides what is run; None where ToolHive's block depends on that as well."""
    if TOOLHIVE_PUBLISHER in publisher_of(server):
        return None
    return {key: value for key, value in server.items() if key not in _PER_VERSION}


def status_of(entry: Entry, block: JsonObject) -> Status:
    """The registry's word on the status, else what the publisher's ToolHive block says."""
    if entry.status is not Status.ACTIVE:
        return entry.status
    return (
        Status.DEPRECATED if as_text(block.get("status")).lower() == "deprecated" else Status.ACTIVE
    )


def publisher_of(server: JsonObject) -> JsonObject:
    """The publisher's extension of a server.json, `{}` without one."""
    return as_object(as_object(server.get("_meta")).get(PUBLISHER_META))


def toolhive_block(server: JsonObject, reference: str) -> JsonObject:
    """ToolHive's block about this image or URL: the one under its reference, else the first."""
    extension = as_object(publisher_of(server).get(TOOLHIVE_PUBLISHER))
    block = extension.get(reference)
    if isinstance(block, dict):
        return block
    return next((value for value in extension.values() if isinstance(value, dict)), {})


def _declared_category(custom: JsonObject, block: JsonObject, publisher: JsonObject) -> str:
    for place in (custom, block, publisher):
        category = as_text(place.get("category")) or next(iter(_texts(place.get("categories"))), "")
        if category:
            return category.strip().lower()[:63]
    return ""


def _defined_tools(definitions: Any) -> tuple[str, ...]:
    if not isinstance(definitions, list):
        return ()
    names = (as_text(item.get("name")) for item in definitions if isinstance(item, dict))
    return tuple(name for name in names if name)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _count(value: Any) -> int | None:
    """Of stars or pulls; what a publisher made up without measure is none."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST
    return value if is_count else None


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""
