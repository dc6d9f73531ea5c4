"""From a record of a snapshot to the rows of the model; pure.

In the flow: `build` and `delta` take records, this module says what each becomes, `tables` writes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.entry import GROUPS_META, TOOLHIVE_PUBLISHER, Entry, Status
from thv.domain.facts import LARGEST, Facts, facts_of, toolhive_block
from thv.domain.lenient import as_objects
from thv.domain.snapshot import Record
from thv.domain.target import target_of
from thv.domain.taxonomy import NO_TAXONOMY, Taxonomy
from thv.domain.text import label_value, toolhive_key
from thv.formats.toolhive import placed_entry
from thv.stores.models import bodies
from thv.stores.models.words import field_words, folded

FOREVER = 1 << 62
"""The generation in which a row dies that is alive."""

_TIERS = {"official": 4, "verified": 3, "partner": 2, "community": 1}
_TRUST = {"trusted": 3, "tested": 2, "raw": 1}
_STAR_LIMIT = (1 << 20) - 1
_SCORE_BITS = 41
SEQUENCE_BITS = 22
"""How many latest rows a model can ever take before it is made anew: four million."""

Key: TypeAlias = tuple[str, str]


class Traits(msgspec.Struct, frozen=True):
    """What many entries have in common; each different one is kept once and filters are decided on it."""

    tier: str
    category: str
    transport: str
    kind: str
    status: str
    trust: str
    """Carried from the source; `""` where the registry's own level holds."""


class Membership(msgspec.Struct, frozen=True):
    """That an entry belongs to a group."""

    group: str
    position: int
    """The place of the group among the groups of its document."""
    item: bytes
    """The membership as the snapshot keeps it, as JSON."""


class Tool(msgspec.Struct, frozen=True):
    """A tool that an entry offers."""

    name: str
    description: str


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """What only the latest version of a name has."""

    key: str
    short: str
    """The last part of the name, folded, for the best matches of a search."""
    body: bytes
    plain: int
    """Length of the body before `registry_info`."""
    score: int
    stars: int
    pulls: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One version, ready to be written."""

    name: str
    version: str
    digest: bytes
    stamp: bytes
    latest: bool
    gone: bool
    updated: int
    touched: int
    """When the source or the registry changed it last: what whoever asks for updates has not seen."""
    body: bytes
    traits: Traits
    plain: str
    words: str
    facts: tuple[str, ...]
    tools: tuple[Tool, ...]
    memberships: tuple[Membership, ...]
    server: Latest | None


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A record with its entry decoded."""

    record: Record
    stamp: bytes
    raw: bytes
    """The server.json as it is stored."""
    entry: Entry
    gone: bool
    """Served no more, whether we or the publisher took it away."""


class Line(msgspec.Struct, frozen=True):
    """A record, and a short hash of every byte of it."""

    record: Record
    stamp: bytes

    @property
    def key(self) -> Key:
        return (self.record.name, self.record.version)

    @property
    def dropped(self) -> bool:
        return self.record.dropped


class _Content(msgspec.Struct):
    server: msgspec.Raw = msgspec.Raw(b"{}")
    meta: JsonObject | None = msgspec.field(name="_meta", default=None)


_decode_record = msgspec.json.Decoder(Record).decode
_decode_content = msgspec.json.Decoder(_Content | None).decode
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def lines_of(plain: bytes) -> Iterator[Line]:
    """The records of an unpacked chunk."""
    start = 0
    while (end := plain.find(b"\n", start)) >= 0:
        if end > start:
            line = plain[start:end]
            yield Line(_decode_record(line), _stamp(line))
        start = end + 1


def _stamp(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=8).digest()


def opened(line: Line) -> Opened:
    """The record with its entry; a tombstone may come without content."""
    record = line.record
    content = _decode_content(record.entry) or _Content()
    raw = bytes(content.server)
    server = {**_decode(raw), "name": record.name, "version": record.version}
    entry = Entry.from_content(
        {"server": server, "_meta": content.meta},
        published_at=record.published_at,
        updated_at=record.updated_at,
        marked_latest=record.latest,
    )
    gone = bool(record.removed_at) or entry.deleted
    return Opened(record=record, stamp=line.stamp, raw=raw, entry=entry, gone=gone)


class Maker:
    """Makes rows, one name after the other.

    Versions of one name mostly say the same, so the facts and words of the last one are kept and used again
    where nothing that they depend on differs.
    """

    def __init__(self, taxonomy: Taxonomy = NO_TAXONOMY) -> None:
        self._taxonomy = taxonomy
        self._about: tuple[Any, ...] = ()
        self._said: _Said | None = None

    def row(self, item: Opened, versions: int) -> Row:
        """The row of a record; `versions` is how many of its name are served."""
        record, entry = item.record, item.entry
        said = self._said_by(item)
        updated = micros(record.updated_at or record.removed_at)
        served = bodies.stored_server(item.raw, entry.server, gone=item.gone)
        traits = _traits(entry, said.facts, gone=item.gone)
        return Row(
            name=record.name,
            version=record.version,
            digest=bytes.fromhex(record.digest.removeprefix("sha256:")),
            stamp=item.stamp,
            latest=record.latest,
            gone=item.gone,
            updated=updated,
            touched=max(updated, micros(record.changed_at)),
            body=bodies.official_body(record, entry, served, said.facts),
            traits=traits,
            plain=said.plain,
            words=said.words,
            facts=said.filterable,
            tools=said.tools,
            memberships=_memberships(entry),
            server=_latest(item, said.facts, traits, versions)
            if record.latest and not item.gone
            else None,
        )

    def _said_by(self, item: Opened) -> _Said:
        about = _about(item)
        if self._said is not None and about and about == self._about:
            return _said_again(self._said, item.entry)
        self._about = about
        self._said = _said(item.entry, self._taxonomy)
        return self._said


class _Said(msgspec.Struct, frozen=True):
    """What is made of the text of an entry."""

    facts: Facts
    plain: str
    words: str
    filterable: tuple[str, ...]
    tools: tuple[Tool, ...]


def _said_again(said: _Said, entry: Entry) -> _Said:
    target = target_of(entry.server)
    facts = msgspec.structs.replace(
        said.facts,
        version=entry.version,
        kind=target.kind,
        reference=target.reference,
        transport=target.transport,
    )
    return msgspec.structs.replace(said, facts=facts)


_PER_VERSION = frozenset({"version", "packages", "remotes", "$schema"})


def _about(item: Opened) -> tuple[Any, ...]:
    """What decides the facts besides version, packages and remotes; `()` where those decide more."""
    if _TOOLHIVE_BLOCK in item.raw:
        return ()
    server = {key: value for key, value in item.entry.server.items() if key not in _PER_VERSION}
    return (server, item.entry.status, item.entry.meta)


_TOOLHIVE_BLOCK = f'"{TOOLHIVE_PUBLISHER}"'.encode()


def _said(entry: Entry, taxonomy: Taxonomy) -> _Said:
    facts = facts_of(entry, taxonomy)
    # The prefix that a converted name gets is nobody's word: a search for "git" must not find all of them.
    main = [folded(text) for text in (toolhive_key(facts.name), facts.title, facts.description)]
    more = [folded(" ".join(texts)) for texts in (facts.tags, facts.tools)]
    return _Said(
        facts=facts,
        plain="\x1f".join(main),
        words="\n".join([field_words(text) for text in (*main, *more)]),
        filterable=tuple(_filterable(entry, facts)),
        tools=_tools(entry, facts),
    )


def micros(text: str) -> int:
    """Microseconds since 1970 of an RFC 3339 time, 0 when it is none."""
    if not text:
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def score_of(traits: Traits, stars: int, pulls: int) -> int:
    """The standing of an entry that owes nothing to a search: trust, tier, stars, pulls."""
    trust, tier = _TRUST.get(traits.trust, 0), _TIERS.get(traits.tier.casefold(), 0)
    return (((trust << 3 | tier) << 20 | min(stars, _STAR_LIMIT)) << 16) | _rounded(pulls)


def rank_of(score: int, sequence: int) -> int:
    """The row id that sorts by score, then by arrival."""
    return (((1 << _SCORE_BITS) - 1 - score) << SEQUENCE_BITS) | sequence


def _rounded(count: int) -> int:
    """Three significant digits in 16 bits that sort as the count does."""
    capped = min(max(count, 0), (1 << 40) - 1)
    length = max(capped.bit_length() - 10, 0)
    return (length << 10) + (capped >> length)


def _traits(entry: Entry, facts: Facts, *, gone: bool) -> Traits:
    return Traits(
        tier=facts.tier,
        category=facts.category,
        transport=facts.transport,
        kind=facts.kind,
        status=Status.DELETED.value if gone else facts.status.value,
        trust=(bodies.origin_of(entry) or {}).get("trust_level", ""),
    )


TAG, CUSTOM, REGISTRY, GROUP = "t", "c", "r", "g"
"""What a fact is about: the first letter of its text."""


def _filterable(entry: Entry, facts: Facts) -> Iterator[str]:
    yield from {TAG + tag.casefold() for tag in facts.tags}
    for key, value in facts.custom.items():
        yield f"{CUSTOM}{key}={label_value(value)}"
    for member in _group_names(entry):
        yield GROUP + member
    origin = bodies.origin_of(entry)
    if origin:
        yield REGISTRY + origin["name"]
        if "namespace" in origin:
            yield f"{REGISTRY}{origin['namespace']}/{origin['name']}"


def _latest(item: Opened, facts: Facts, traits: Traits, versions: int) -> Latest:
    placed = placed_entry(item.entry)
    info = bodies.registry_info(item.record, item.entry, versions)
    body, plain = bodies.toolhive_body(placed.key, placed.value, info)
    stars, pulls = facts.stars or 0, facts.pulls or 0
    return Latest(
        key=placed.key,
        short=folded(facts.name.rpartition("/")[2]),
        body=body,
        plain=plain,
        score=score_of(traits, stars, pulls),
        stars=-1 if facts.stars is None else facts.stars,
        pulls=-1 if facts.pulls is None else facts.pulls,
    )


def _tools(entry: Entry, facts: Facts) -> tuple[Tool, ...]:
    if not facts.tools:
        return ()
    described = {
        definition.get("name"): definition.get("description")
        for definition in definitions_of(entry.server, facts.reference)
    }
    return tuple(
        Tool(name, text if isinstance(text := described.get(name), str) else "")
        for name in dict.fromkeys(facts.tools)
    )


def definitions_of(server: JsonObject, reference: str) -> list[JsonObject]:
    """The tool definitions of a server.json that have a name, as its ToolHive block holds them."""
    found = as_objects(toolhive_block(server, reference).get("tool_definitions"))
    return [each for each in found if isinstance(each.get("name"), str)]


def _memberships(entry: Entry) -> tuple[Membership, ...]:
    found: dict[str, Membership] = {}
    for item in _group_items(entry):
        group = item["group"]
        place = _place(item.get("position"))
        found[group["name"]] = Membership(group["name"], place, _encode(item))
    return tuple(found.values())


def _place(value: Any) -> int:
    return value if isinstance(value, int) and abs(value) <= LARGEST else 0


def _group_names(entry: Entry) -> set[str]:
    return {item["group"]["name"] for item in _group_items(entry)}


def _group_items(entry: Entry) -> list[JsonObject]:
    meta = entry.server.get("_meta")
    if not isinstance(meta, dict) or GROUPS_META not in meta:
        return []
    return [item for item in as_objects(meta[GROUPS_META]) if _is_named(item.get("group"))]


def _is_named(group: Any) -> bool:
    return isinstance(group, dict) and isinstance(group.get("name"), str) and bool(group["name"])
