"""The ToolHive format: one entry of a ToolHive registry <-> one entry in the official form.

In the flow: reading a ToolHive document, serving and exporting one. Each direction is two steps: the plain map
of what both formats can say (`mapping`), and parking of the rest (`parking`), so that either way round gives
the identical JSON values. Parked is what the way back would not give: in a ToolHive entry under
`custom_metadata["server.json"]`, in a server.json under our own `_meta` key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.entry import GROUPS_META, NAME_LIMIT, Entry
from thv.formats import mapping, parking
from thv.formats.mapping import KEY, REMOTE_SERVERS, SECTION, SERVERS
from thv.formats.official import RejectedError, checked_text, entry_of

PARKED_HERE = "server.json"
PARKED_THERE = "io.stacklok.toolhive/entry"

_SCHEMA_URL = re.compile(
    r"https://static\.modelcontextprotocol\.io/schemas/(\d{4}-\d\d-\d\d)/server\.schema\.json"
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_REGISTRY_META = "@_meta"
# The files in which clients configure servers look alike, but hold a `command`, or a bare `type` and `url`.
_MARKS = frozenset({"image", "description", "transport", "status", "tier", "tools"})
_PART_DEPTH = 3  # a field, or one item of a list that is a field

Back: TypeAlias = Callable[[JsonObject], JsonObject]
"""The plain map of the other direction."""


class Placed(msgspec.Struct, frozen=True):
    """A ToolHive entry and its place in a document."""

    key: str
    section: str
    value: JsonObject


def toolhive_entry(entry: Entry) -> JsonObject:
    """The ToolHive entry, without its key; what it cannot say is parked under `custom_metadata`."""
    return placed_entry(entry).value


def is_remote(entry: Entry) -> bool:
    """Whether a ToolHive document lists the entry among its remote servers."""
    return placed_entry(entry).section == REMOTE_SERVERS


def placed_entry(entry: Entry) -> Placed:
    """The ToolHive entry with key and section."""
    content = _own_keys_removed(entry.content)
    there = _unparked(entry, content)
    missing = parking.difference(mapping.to_official(there), content)
    value = {key: field for key, field in there.items() if key not in (KEY, SECTION)}
    if missing:
        custom = value.get("custom_metadata")
        custom = custom if isinstance(custom, dict) else {}
        value["custom_metadata"] = {**custom, PARKED_HERE: _shortened(missing)}
    return Placed(there[KEY], there[SECTION], value)


def _unparked(entry: Entry, content: JsonObject) -> JsonObject:
    """What a ToolHive entry can say of it, with what an earlier conversion had parked put back."""
    plain = mapping.to_toolhive(content)
    parked = _object(entry.server.get("_meta")).get(PARKED_THERE)
    return (
        _settled(plain, parked, mapping.to_official, content) if isinstance(parked, dict) else plain
    )


def entry_of_toolhive(key: str, value: Any, *, section: str) -> Entry:
    """The entry behind a key of a ToolHive document; raises RejectedError."""
    if not isinstance(value, dict):
        raise RejectedError("expected an object")
    if KEY in value or SECTION in value:
        raise RejectedError(f"a field cannot be called {KEY!r} or {SECTION!r}")
    if "command" in value or _MARKS.isdisjoint(value):
        raise RejectedError(
            "this is no ToolHive entry: it has neither an image, a url nor a description"
        )
    checked_text({"key": key}, "key", NAME_LIMIT)
    there = {**_without_parked(value), KEY: key, SECTION: section}
    content = mapping.to_official(there)
    patch = _lengthened(_object(value.get("custom_metadata")).get(PARKED_HERE))
    if patch:
        content = _settled(content, patch, mapping.to_toolhive, there)
    missing = parking.difference(mapping.to_toolhive(content), there)
    if missing:
        server = content["server"]
        meta = {**_object(server.get("_meta")), PARKED_THERE: missing}
        content = {**content, "server": {**server, "_meta": meta}}
    return entry_of(content)


def _settled(
    plain: JsonObject, parked: parking.Patch, back: Back, source: JsonObject
) -> JsonObject:
    """The plain map with what was parked, as far as that does not lead away from the source.

    Nobody edited: everything fits at once. Somebody did: a part that would contradict the edit is left out,
    because with it the way back differs from the source more than without.
    """
    whole: JsonObject = parking.apply(plain, parked)
    if _is_sound(whole) and parking.same(back(whole), source):
        return whole
    distance = parking.size(parking.difference(back(plain), source))
    for part in parking.parts(parked, _PART_DEPTH):
        more = parking.apply(plain, part)
        if not _is_sound(more):
            continue
        with_part = parking.size(parking.difference(back(more), source))
        if with_part <= distance:
            plain, distance = more, with_part
    return plain


def _is_sound(value: JsonObject) -> bool:
    """Parked values come from documents of strangers: what the maps rely on must still be there."""
    if KEY in value:
        return isinstance(value[KEY], str) and value.get(SECTION) in (SERVERS, REMOTE_SERVERS)
    server = _object(value.get("server"))
    return isinstance(server.get("name"), str) and isinstance(server.get("version"), str)


def _without_parked(there: JsonObject) -> JsonObject:
    custom: Any = there.get("custom_metadata")
    if not isinstance(custom, dict) or PARKED_HERE not in custom:
        return there
    kept = {key: value for key, value in custom.items() if key != PARKED_HERE}
    new = {key: value for key, value in there.items() if key != "custom_metadata"}
    return {**new, "custom_metadata": kept} if kept else new


def _shortened(patch: parking.Patch) -> JsonObject | str:
    """What is said of the server itself at the top; only a schema, or a version and a schema, as one text.

    Nearly every entry of the official registry parks these two, so their length is the length of parking.
    """
    short: JsonObject = dict(patch.get("server", {}))
    if "_meta" in patch:
        short[_REGISTRY_META] = patch["_meta"]
    match = _SCHEMA_URL.fullmatch(str(short.get("$schema")))
    if not match:
        return short
    version = short.get("version", "")
    if short.keys() <= {"$schema", "version"} and isinstance(version, str) and " " not in version:
        return f"{version} {match[1]}".lstrip() if version or "version" not in short else short
    return {**short, "$schema": match[1]}


def _lengthened(short: Any) -> parking.Patch:
    """The patch behind its short form, `{}` when there is none."""
    if isinstance(short, str):
        version, _, schema = short.rpartition(" ")
        short = {"$schema": schema, "version": version} if version else {"$schema": schema}
    if not isinstance(short, dict):
        return {}
    server: JsonObject = {key: value for key, value in short.items() if key != _REGISTRY_META}
    date = server.get("$schema")
    if isinstance(date, str) and _DATE.fullmatch(date):
        server["$schema"] = (
            f"https://static.modelcontextprotocol.io/schemas/{date}/server.schema.json"
        )
    patch: JsonObject = {"server": server}
    if _REGISTRY_META in short:
        patch["_meta"] = short[_REGISTRY_META]
    return patch


def _own_keys_removed(content: JsonObject) -> JsonObject:
    """The content without what only we put into it: parked values and group membership."""
    server: JsonObject = content["server"]
    meta = server.get("_meta")
    if not isinstance(meta, dict) or (PARKED_THERE not in meta and GROUPS_META not in meta):
        return content
    rest = {key: value for key, value in meta.items() if key not in (PARKED_THERE, GROUPS_META)}
    bare = {key: value for key, value in server.items() if key != "_meta"}
    return {**content, "server": {**bare, "_meta": rest} if rest else bare}


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}
