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
from thv.domain.lenient import as_object
from thv.formats import mapping, parking
from thv.formats.mapping import KEY, PARKED, REMOTE_SERVERS, SECTION, SERVERS
from thv.formats.official import RejectedError, checked_text, entry_of

PARKED_THERE = "io.stacklok.toolhive/entry"

_SCHEMA_URL = re.compile(
    r"https://static\.modelcontextprotocol\.io/schemas/(\d{4}-\d\d-\d\d)/server\.schema\.json"
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_REGISTRY_META = "@_meta"
# The files in which clients configure servers look alike, but hold a `command`, or a bare `type` and `url`.
_MARKS = frozenset({"image", "description", "transport", "status", "tier", "tools"})
_TRIES = 200  # enough for every entry of a person; an entry that was made to be slow ends here

Back: TypeAlias = Callable[[JsonObject], JsonObject]
"""The plain map of the other direction."""


class Placed(msgspec.Struct, frozen=True):
    """A ToolHive entry and its place in a document."""

    key: str
    section: str
    value: JsonObject


def placed_entry(entry: Entry) -> Placed:
    """The ToolHive entry with key and section."""
    content = _own_keys_removed(entry.content)
    plain = mapping.to_toolhive(content)
    parked = as_object(entry.server.get("_meta")).get(PARKED_THERE)
    was_toolhive = isinstance(parked, dict)
    if was_toolhive:
        there = _settled(plain, parked, mapping.to_official, content)
        placed = _placed(there, content, was_toolhive)
        # Whoever edited the entry may have made what was parked earlier a lie: the way back tells.
        if _is_entry(placed.value) and parking.same(
            _own_keys_removed(_content_behind(placed)), content
        ):
            return placed
    return _placed(plain, content, was_toolhive)


def _placed(there: JsonObject, content: JsonObject, was_toolhive: bool) -> Placed:
    server = content["server"]
    missing = parking.difference(mapping.to_official(there), content)
    if there[SECTION] == SERVERS and (missing or not (was_toolhive or "_meta" in server)):
        # Also when the image says the same today: an edit of the image is no other version of the server.
        missing = parking.joined(missing, {"server": {"version": server["version"]}})
    value = {key: field for key, field in there.items() if key not in (KEY, SECTION)}
    if missing:
        custom = as_object(value.get("custom_metadata"))
        value["custom_metadata"] = {**custom, PARKED: _shortened(missing)}
    return Placed(there[KEY], there[SECTION], value)


def as_version(placed: Placed, version: str) -> Placed:
    """The same, read as this version: an image under another tag would make it another one."""
    if entry_of_toolhive(placed.key, placed.value, section=placed.section).version == version:
        return placed
    custom = as_object(placed.value.get("custom_metadata"))
    parked = parking.joined(_lengthened(custom.get(PARKED)), {"server": {"version": version}})
    value = {**placed.value, "custom_metadata": {**custom, PARKED: _shortened(parked)}}
    return Placed(placed.key, placed.section, value)


def entry_of_toolhive(key: str, value: Any, *, section: str) -> Entry:
    """The entry behind a key of a ToolHive document; raises RejectedError."""
    if not isinstance(value, dict):
        raise RejectedError("expected an object")
    if KEY in value or SECTION in value:
        raise RejectedError(f"a field cannot be called {KEY!r} or {SECTION!r}")
    if not _is_entry(value):
        raise RejectedError(
            "this is no ToolHive entry: it has neither an image, a url nor a description"
        )
    if not key:
        raise RejectedError("its key is empty; the key is the name of the server")
    checked_text({"key": key}, "key", NAME_LIMIT)
    content = _content_behind(Placed(key, section, value))
    server = content["server"]
    plain = str(server.get("name")).removesuffix(f"@{server.get('version')}")
    if key.endswith("@") or plain == server.get("name"):
        return entry_of(content)
    # A document of all versions has the keys name@version.
    return entry_of(_content_behind(Placed(key.rpartition("@")[0], section, value)))


def _is_entry(value: JsonObject) -> bool:
    return "command" not in value and not _MARKS.isdisjoint(value)


def _content_behind(placed: Placed) -> JsonObject:
    there = {**_without_parked(placed.value), KEY: placed.key, SECTION: placed.section}
    content = mapping.to_official(there)
    patch = _lengthened(as_object(placed.value.get("custom_metadata")).get(PARKED))
    if patch:
        content = _settled(content, patch, mapping.to_toolhive, there)
    missing = parking.difference(mapping.to_toolhive(content), there)
    # Without any word of ToolHive in it, an entry gets an empty one: `_placed` would take it for a publisher's.
    plain = placed.section == SERVERS and not patch and "_meta" not in content["server"]
    if missing or plain:
        server = content["server"]
        meta = {**as_object(server.get("_meta")), PARKED_THERE: missing}
        content = {**content, "server": {**server, "_meta": meta}}
    return content


def _settled(
    plain: JsonObject, parked: parking.Patch, back: Back, source: JsonObject
) -> JsonObject:
    """The plain map with what was parked, as far as that does not lead away from the source.

    Nobody edited: everything fits at once. Somebody did: a part is left out when the way back changes with it,
    and not to what the source says.
    """
    whole: JsonObject = parking.apply(plain, parked)
    if _is_sound(whole) and parking.same(back(whole), source):
        return whole
    kept, value, reached = parking.NOTHING, plain, back(plain)
    waiting, tries, before = [parked], _TRIES, 0
    # What is left out may fit once others are in, so it is tried again until nothing changes.
    while tries and len(waiting) != before:
        before, todo, waiting = len(waiting), waiting[::-1], []
        while todo and tries:
            tries -= 1
            part = todo.pop()
            joined = parking.joined(kept, part)
            more: JsonObject = parking.apply(plain, joined)
            reach = back(more) if _is_sound(more) else {}
            if reach and not _leads_away(reached, reach, source):
                kept, value, reached = joined, more, reach
            elif inner := parking.branches(part):
                todo.extend(reversed(inner))
            else:
                waiting.append(part)
    return value


def _leads_away(before: JsonObject, after: JsonObject, source: JsonObject) -> bool:
    moved = parking.difference(before, after)
    return parking.changed_again(moved, parking.difference(after, source))


def _is_sound(value: Any) -> bool:
    """Parked values come from documents of strangers: what the maps rely on must still be there."""
    there = as_object(value)
    if KEY in there:
        return isinstance(there[KEY], str) and there.get(SECTION) in (SERVERS, REMOTE_SERVERS)
    server = as_object(there.get("server"))
    return isinstance(server.get("name"), str) and isinstance(server.get("version"), str)


def _without_parked(there: JsonObject) -> JsonObject:
    custom = as_object(there.get("custom_metadata"))
    if PARKED not in custom:
        return there
    kept = {key: value for key, value in custom.items() if key != PARKED}
    new = {key: value for key, value in there.items() if key != "custom_metadata"}
    return {**new, "custom_metadata": kept} if kept else new


def _shortened(patch: parking.Patch) -> JsonObject | str:
    """What is said of the server itself at the top; a version and the date of a schema as one text.

    Nearly every entry of the official registry parks these two, so their length is the length of parking.
    """
    short: JsonObject = dict(patch.get("server", {}))
    if "_meta" in patch:
        short[_REGISTRY_META] = patch["_meta"]
    schema, version = str(short.get("$schema")), short.get("version")
    if match := _SCHEMA_URL.fullmatch(schema):
        short["$schema"] = match[1]
        if isinstance(version, str) and version:
            short["$schema"] = f"{short.pop('version')} {match[1]}"
        if short.keys() == {"$schema"}:
            text: str = short["$schema"]
            return text
    elif _dated(schema)[1]:
        short["$schema"] = {"=": schema}
    return short


def _lengthened(short: Any) -> parking.Patch:
    """The patch behind its short form, `{}` when there is none."""
    if isinstance(short, str):
        short = {"$schema": short} if _dated(short)[1] else None
    if not isinstance(short, dict):
        return {}
    server: JsonObject = {key: value for key, value in short.items() if key != _REGISTRY_META}
    version, date = _dated(server.get("$schema"))
    if date:
        server["$schema"] = (
            f"https://static.modelcontextprotocol.io/schemas/{date}/server.schema.json"
        )
    if version:
        server["version"] = version
    patch: JsonObject = {"server": server}
    if _REGISTRY_META in short:
        patch["_meta"] = short[_REGISTRY_META]
    return patch


def _dated(text: Any) -> tuple[str, str]:
    """The version and the date of a schema in `1.0.0 2025-10-17`, the version may lack; without a date both are `""`."""
    if not isinstance(text, str):
        return "", ""
    version, _, date = text.rpartition(" ")
    return (version, date) if _DATE.fullmatch(date) else ("", "")


def _own_keys_removed(content: JsonObject) -> JsonObject:
    """The content without what only we put into it: parked values and group membership."""
    server: JsonObject = content["server"]
    meta = server.get("_meta")
    if not isinstance(meta, dict) or (PARKED_THERE not in meta and GROUPS_META not in meta):
        return content
    rest = {key: value for key, value in meta.items() if key not in (PARKED_THERE, GROUPS_META)}
    bare = {key: value for key, value in server.items() if key != "_meta"}
    return {**content, "server": {**bare, "_meta": rest} if rest else bare}
