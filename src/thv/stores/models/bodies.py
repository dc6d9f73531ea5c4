"""The bytes of an entry as it is served, made once when its snapshot is applied.

In the flow: `rows` renders, the files keep, `plans` reads. What belongs to the registry or to the snapshot and
not to the entry changes without the entry, so it is not in these bytes: one zero byte, which JSON text can
never hold, marks where a page gets it.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.entry import GROUPS_META, OFFICIAL_META, OWN_META, Entry, Status
from thv.domain.facts import Facts
from thv.domain.snapshot import Record
from thv.formats.toolhive import placed_entry

MARK = b"\0"

_OWN_OPENING = f',"{OWN_META}":{{'.encode() + MARK
_INFO_OPENING = b',"registry_info":{' + MARK
_GROUPS_KEY = GROUPS_META.encode()
_COUNT = re.compile(rb'"versions_count":\d+,"digest"')
_IMAGE_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")

_encode = msgspec.json.Encoder().encode


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """What a registry says about all its entries at once."""

    namespace: str
    name: str
    display_name: str
    trust_level: str
    snapshot: str
    synced_at: str = ""

    def official(self) -> bytes:
        """What stands for the mark in the official form."""
        return _members(
            {
                "namespace": self.namespace,
                "name": self.name,
                "displayName": self.display_name,
                "trustLevel": self.trust_level,
                "category": "validated" if self.trust_level == "trusted" else "community",
                "snapshot": self.snapshot,
            }
        )

    def toolhive(self) -> bytes:
        """What stands for the mark in the ToolHive form."""
        return _members(
            {
                "namespace": self.namespace,
                "name": self.name,
                "display_name": self.display_name,
                "trust_level": self.trust_level,
                "snapshot": self.snapshot,
                "synced_at": self.synced_at or None,
            }
        )


def official_body(record: Record, entry: Entry, server: bytes, facts: Facts) -> bytes:
    """One item of the official API. `server` is the server.json as it is stored."""
    meta = {key: value for key, value in entry.meta.items() if key not in (OFFICIAL_META, OWN_META)}
    rest = b"," + _encode(meta)[1:-1] if meta else b""
    return b"".join(
        (
            b'{"server":',
            server,
            b',"_meta":{"',
            OFFICIAL_META.encode(),
            b'":',
            _encode(_official_meta(record, entry)),
            _OWN_OPENING,
            _encode(_own_meta(record, entry, facts))[1:],
            rest,
            b"}}",
        )
    )


def stored_server(raw: bytes, server: JsonObject, *, gone: bool) -> bytes:
    """The server.json as it is served: of a tombstone only what names it, and never what is internal."""
    if gone:
        kept = ("$schema", "name", "description", "version")
        return _encode({"description": "", **{key: server[key] for key in kept if key in server}})
    return _encode(_without_groups(server)) if _GROUPS_KEY in raw else raw


def toolhive_body(key: str, value: JsonObject, info: JsonObject) -> tuple[bytes, int]:
    """One ToolHive entry, and the length of the part before `registry_info`."""
    plain = _encode({**_NAME_FIRST, **value, "name": key})[:-1]
    return b"".join((plain, _INFO_OPENING, _encode(info)[1:], b"}")), len(plain)


_NAME_FIRST = {"name": ""}


def registry_info(record: Record, entry: Entry, versions: int) -> JsonObject:
    """What the registry knows of one entry, beside what it says of all."""
    return {
        "version": record.version,
        "is_latest": record.latest,
        "versions_count": versions,
        "digest": record.digest,
        "published_at": record.published_at or None,
        "updated_at": record.updated_at or None,
        "origin": origin_of(entry),
        "approval": _snake(record.review) if record.review else None,
    }


def recounted(body: bytes, versions: int) -> bytes:
    """A ToolHive body with another number of versions; the last match is ours, whatever the entry holds."""
    *_, match = _COUNT.finditer(body)
    return b'%s"versions_count":%d,"digest"%s' % (
        body[: match.start()],
        versions,
        body[match.end() :],
    )


class Said(msgspec.Struct, frozen=True):
    """What the registry itself says of an entry, as its body holds it."""

    revision: str = ""
    approval: JsonObject | None = None
    origin: JsonObject | None = None


class _Body(msgspec.Struct):
    server: JsonObject
    meta: JsonObject = msgspec.field(name="_meta")


_decode_body = msgspec.json.Decoder(_Body).decode


def read_body(body: bytes) -> tuple[Entry, Said]:
    """The entry behind an official body."""
    decoded = _decode_body(body.replace(MARK, b""))
    official, own = decoded.meta.pop(OFFICIAL_META), decoded.meta.pop(OWN_META)
    if own.get("origin"):
        decoded.meta[OWN_META] = _origin_as_read(own["origin"])
    entry = Entry(
        server=decoded.server,
        status=Status(official["status"]),
        status_message=official.get("statusMessage", ""),
        status_changed_at=official.get("statusChangedAt", ""),
        published_at=official.get("publishedAt", ""),
        updated_at=official.get("updatedAt", ""),
        marked_latest=official["isLatest"],
        meta=decoded.meta,
    )
    return entry, msgspec.convert(own, Said)


def _origin_as_read(origin: JsonObject) -> JsonObject:
    return {("trustLevel" if key == "trust_level" else key): value for key, value in origin.items()}


def converted(body: bytes, versions: int) -> tuple[bytes, int]:
    """The ToolHive body of an official one, for versions that nobody keeps it of."""
    entry, said = read_body(body)
    placed = placed_entry(entry)
    record = Record(
        name=entry.name,
        version=entry.version,
        digest=said.revision,
        published_at=entry.published_at,
        updated_at=entry.updated_at,
        latest=entry.marked_latest,
    )
    info = registry_info(record, entry, versions)
    return toolhive_body(
        placed.key, placed.value, {**info, "approval": said.approval and _snake(said.approval)}
    )


def without_info(bodies: bytes) -> bytes:
    """ToolHive bodies without `registry_info`, which ends each of them."""
    first, *rest = bodies.split(_INFO_OPENING)
    parts = [first]
    for text in (part.decode() for part in rest):
        # The members of the object whose opening was cut away, then the end of the body, then others.
        _, end = _raw_decode("{" + text)
        parts.append(text[end - 1 :].encode())
    return b"".join(parts)


_raw_decode = json.JSONDecoder().raw_decode


def origin_of(entry: Entry) -> JsonObject | None:
    """The registry that an entry came through, where the source says so."""
    own = entry.meta.get(OWN_META)
    if not isinstance(own, dict) or not isinstance(own.get("name"), str):
        return None
    first = own.get("origin")
    if isinstance(first, dict) and isinstance(first.get("name"), str):
        own = first
    origin = {
        "namespace": own.get("namespace"),
        "name": own["name"],
        "trust_level": own.get("trustLevel", own.get("trust_level")),
    }
    return {key: value for key, value in origin.items() if isinstance(value, str)}


class _OfficialMeta(msgspec.Struct, omit_defaults=True, rename="camel"):
    """The registry's word on a version; what is not known is left out."""

    status: str
    status_changed_at: str = ""
    status_message: str = ""
    published_at: str = ""
    updated_at: str = ""
    is_latest: bool | None = None


class _OwnMeta(msgspec.Struct, omit_defaults=True, rename="camel"):
    revision: str
    tier: str = ""
    functional_category: str = ""
    image_digest: str = ""
    approval: JsonObject | None = None
    origin: JsonObject | None = None
    tools: tuple[str, ...] = ()
    groups: tuple[Any, ...] = ()
    """Memberships, so that whoever reads this registry has them too."""


def _official_meta(record: Record, entry: Entry) -> _OfficialMeta:
    status = "deleted" if record.removed_at else entry.status.value
    changed = record.published_at if status == "active" else record.updated_at
    return _OfficialMeta(
        status,
        entry.status_changed_at or record.removed_at or changed,
        entry.status_message or ("removed" if record.removed_at else ""),
        record.published_at,
        record.updated_at or record.removed_at,
        record.latest,
    )


def _own_meta(record: Record, entry: Entry, facts: Facts) -> _OwnMeta:
    image = _IMAGE_DIGEST.search(facts.reference)
    return _OwnMeta(
        record.digest,
        facts.tier,
        facts.category,
        image[1] if image else "",
        record.review or None,
        origin_of(entry),
        facts.tools,
        _groups_of(entry),
    )


def _groups_of(entry: Entry) -> tuple[Any, ...]:
    meta = entry.server.get("_meta")
    groups = meta.get(GROUPS_META) if isinstance(meta, dict) else None
    return tuple(groups) if isinstance(groups, list) else ()


def _without_groups(server: JsonObject) -> JsonObject:
    meta = server.get("_meta")
    if not isinstance(meta, dict) or GROUPS_META not in meta:
        return server
    kept = {key: value for key, value in meta.items() if key != GROUPS_META}
    rest = {key: value for key, value in server.items() if key != "_meta"}
    return {**rest, "_meta": kept} if kept else rest


def _snake(review: JsonObject) -> JsonObject:
    names = {"name": "review", "approvedAt": "approved_at", "expiresAt": "expires_at"}
    hidden = ("uid", "policyDigest")
    return {names.get(key, key): value for key, value in review.items() if key not in hidden}


def _members(values: JsonObject) -> bytes:
    """The members of an object that others follow."""
    return _encode(values)[1:-1] + b","
