"""The official format: server.json and what a registry says about it.

In the flow: one item of a page or a document <-> one entry. Reading is tolerant: whatever has a name and a
version is an entry; what breaks the schema is a finding of `validation`, never a reason to drop anything.
"""

from __future__ import annotations

import re
from typing import Any

from thv.domain.canonical import JsonObject
from thv.domain.entry import (
    GROUPS_META,
    NAME_LIMIT,
    OFFICIAL_META,
    OWN_META,
    VERSION_LIMIT,
    Entry,
    Status,
)
from thv.domain.lenient import as_object, as_text
from thv.formats.generations import upgraded

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class RejectedError(ValueError):
    """One item cannot be an entry; the text says why, for a person."""


def entry_of(item: Any) -> Entry:
    """The entry of one item of any generation, wrapped or flat; raises RejectedError."""
    if not isinstance(item, dict):
        raise RejectedError(f"expected an object, found {_kind(item)}")
    current = upgraded(item)
    server = current["server"]
    checked_text(server, "name", NAME_LIMIT)
    checked_text(server, "version", VERSION_LIMIT, may_be_empty=True)
    meta = as_object(current.get("_meta"))
    official = as_object(meta.get(OFFICIAL_META))
    return Entry(
        server=_in_groups(server, as_object(meta.get(OWN_META)).get("groups")),
        status=_status(official.get("status")),
        status_message=as_text(official.get("statusMessage")),
        status_changed_at=as_text(official.get("statusChangedAt")),
        published_at=as_text(official.get("publishedAt")),
        updated_at=as_text(official.get("updatedAt")),
        marked_latest=official.get("isLatest") is True,
        # Our own word about an entry is said anew by whoever serves it next.
        meta={key: value for key, value in meta.items() if key not in (OFFICIAL_META, OWN_META)},
    )


def _in_groups(server: JsonObject, groups: Any) -> JsonObject:
    """The server.json with the groups that a registry of ours says it is in."""
    if not isinstance(groups, list) or not groups:
        return server
    return {**server, "_meta": {**as_object(server.get("_meta")), GROUPS_META: groups}}


def document_item(entry: Entry) -> JsonObject:
    """The entry as a document lists it: a flat server.json, with the registry's word only where it matters."""
    content = entry.content
    official = as_object(content.get("_meta")).get(OFFICIAL_META)
    if official is None:
        return entry.server
    return {
        **entry.server,
        "_meta": {**as_object(entry.server.get("_meta")), OFFICIAL_META: official},
    }


def checked_text(place: JsonObject, key: str, limit: int, *, may_be_empty: bool = False) -> str:
    """A required text of bounded length without control characters; raises RejectedError."""
    if key not in place:
        raise RejectedError(f"{key} is missing")
    value = place[key]
    if not isinstance(value, str):
        raise RejectedError(f"{key} must be a string, found {_kind(value)}")
    if not value and not may_be_empty:
        raise RejectedError(f"{key} is empty")
    if len(value) > limit:
        raise RejectedError(f"{key} has {len(value)} characters, at most {limit} are allowed")
    if _CONTROL.search(value):
        raise RejectedError(f"{key} contains a control character")
    return value


def _status(value: Any) -> Status:
    try:
        return Status(value.lower()) if isinstance(value, str) else Status.ACTIVE
    except ValueError:
        return Status.ACTIVE


def _kind(value: Any) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "a string",
        bool: "a boolean",
        type(None): "null",
    }
    return names.get(type(value), "a number")
