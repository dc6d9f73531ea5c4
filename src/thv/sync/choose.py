"""Filter: which versions of a name a registry takes, and what that changes.

In the flow: third step of a sync, after the mirror is current. All decisions about one name are made here, from
the rows that the source has and from what the registry served so far; nothing is read or written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from thv.domain.entry import Entry, Status
from thv.domain.facts import Facts, FactsReader
from thv.domain.filter import Reasons
from thv.domain.registry import OnUpdate
from thv.domain.snapshot import Key, Record
from thv.domain.taxonomy import Taxonomy
from thv.domain.text import glob_matcher
from thv.domain.versions import pick_latest
from thv.stores.mirrors.base import Excluded, MirrorRow, Selected


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What decides about entries: filter, policy, and how a sync may change what is there."""

    versions: Literal["latest", "all"]
    filtered_by: Reasons
    blocked_by: Reasons
    """The policy's tiers and patterns."""
    on_update: OnUpdate
    taxonomy: Taxonomy


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """When a sync happens, as records tell it (RFC 3339)."""

    now: str
    tombstones_since: str
    """Tombstones from before are dropped."""
    first: bool = False
    """The registry has served nothing yet: nothing is a change."""

    @property
    def changed_at(self) -> str:
        return "" if self.first else self.now


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one name: the changed records, how the selection remembers them, and counts."""

    name: str
    records: tuple[Record, ...] = ()
    """Changed and new ones, tombstones included; a dropped one is `Record.dropped`."""
    selected: tuple[Selected, ...] = ()
    """As many as records, in the same order."""
    forgotten: tuple[Key, ...] = ()
    """Keys of dropped records that no base chunk holds."""
    excluded: Excluded | None = None
    added: int = 0
    changed: int = 0
    removed: int = 0


def choose(
    name: str,
    rows: Sequence[MirrorRow],
    before: Sequence[Selected],
    rules: Rules,
    moment: Moment,
) -> Verdict:
    """Decides about one name: `rows` is what the source has of it, `before` what the selection holds of it."""
    wanted, excluded = _wanted(rows, rules)
    served = {item.version: item for item in before if not item.removed_at and not item.dropped}
    if rules.on_update is OnUpdate.CREATE:
        wanted = [choice for choice in wanted if choice.row.version not in served]
    kept = _kept(served, rules)
    latest = _latest(wanted, kept, rows)
    puts = [_put(choice, before, latest, moment) for choice in wanted]
    flips = [
        _flipped(item, rows, latest, moment)
        for item in kept
        if item.latest != (item.version == latest)
    ]
    gone = (
        served.keys() - {choice.row.version for choice in wanted} - {item.version for item in kept}
    )
    tombs = [_tombstone(served[version], rows, moment) for version in sorted(gone)]
    changes = [
        *(put for put in puts if put is not None),
        *(flip for flip in flips if flip is not None),
        *tombs,
    ]
    expired = [
        item for item in before if item.removed_at and item.removed_at < moment.tombstones_since
    ]
    drops = [
        item for item in expired if item.version not in {record.version for record, _ in changes}
    ]
    return _verdict(name, changes, drops, served, excluded)


class _Choice(msgspec.Struct, frozen=True):
    """A version that passes, with what was learned about it."""

    row: MirrorRow
    entry: Entry
    facts: Facts

    @property
    def version(self) -> str:
        return self.row.version

    @property
    def published_at(self) -> str:
        return self.row.published_at

    @property
    def marked_latest(self) -> bool:
        return self.row.marked_latest

    @property
    def deleted(self) -> bool:
        return False


def _wanted(rows: Sequence[MirrorRow], rules: Rules) -> tuple[list[_Choice], Excluded | None]:
    alive = [row for row in rows if not row.deleted]
    if alive and rules.versions == "latest":
        alive = [pick_latest(alive)]
    wanted: list[_Choice] = []
    filtered = blocked = 0
    broken: set[str] = set()
    reader = FactsReader(rules.taxonomy)
    for row in alive:
        entry = row.load()
        facts = reader.read(entry)
        if unfit := rules.filtered_by(facts):
            filtered += 1
            broken.update(unfit)
        elif unfit := rules.blocked_by(facts):
            blocked += 1
            broken.update(unfit)
        else:
            wanted.append(_Choice(row, entry, facts))
    if not broken:
        return wanted, None
    return wanted, Excluded(rows[0].name, filtered, blocked, tuple(sorted(broken)))


def _kept(served: dict[str, Selected], rules: Rules) -> list[Selected]:
    """With `onUpdate: create` whatever is served stays as it is."""
    return list(served.values()) if rules.on_update is OnUpdate.CREATE else []


class _KeptVersion(msgspec.Struct, frozen=True):
    version: str
    published_at: str
    marked_latest: bool
    deleted: bool = False


def _latest(wanted: Sequence[_Choice], kept: Sequence[Selected], rows: Sequence[MirrorRow]) -> str:
    """The latest of what will be served: a filter may have taken the source's own latest away."""
    for item in kept:
        if item.latest and _row_of(item, rows) is None:
            return item.version  # its record cannot be written anew, so it keeps the mark
    stay = [
        _KeptVersion(item.version, item.published_at, item.latest and not wanted) for item in kept
    ]
    every: list[_Choice | _KeptVersion] = [*wanted, *stay]
    return pick_latest(every).version if every else ""


Change = tuple[Record, Selected]


def _put(choice: _Choice, before: Sequence[Selected], latest: str, moment: Moment) -> Change | None:
    """The record of a version that is served, None when nothing about it changed."""
    row = choice.row
    old = next((item for item in before if item.version == row.version), None)
    is_latest = row.version == latest
    alive = old is not None and not old.removed_at and not old.dropped
    if old is not None and alive and old.digest == row.digest and old.latest == is_latest:
        return None
    same_content = old is not None and alive and old.digest == row.digest
    in_base = old.in_base if old is not None else moment.first  # which all goes into the base
    selected = msgspec.structs.replace(
        selected_of(choice.facts, row.digest, latest=is_latest, in_base=in_base),
        published_at=row.published_at or (old.published_at if old else "") or moment.now,
        # A flip of the latest mark moves the time; the source's own clock does not tell it.
        updated_at=moment.now if same_content else row.updated_at or moment.now,
    )
    return _record(selected, row.content, moment), selected


def selected_of(facts: Facts, digest: str, *, latest: bool, in_base: bool) -> Selected:
    """What a selection remembers of an entry, without its times."""
    return Selected(
        name=facts.name,
        version=facts.version,
        digest=digest,
        latest=latest,
        in_base=in_base,
        kind=facts.kind,
        tier=facts.tier[:63],
        transport=facts.transport,
        category=facts.category,
        deprecated=facts.status is Status.DEPRECATED,
        tools=len(facts.tools),
    )


def _flipped(
    item: Selected, rows: Sequence[MirrorRow], latest: str, moment: Moment
) -> Change | None:
    """A version that stays, but is the latest no more, or again; None when its content is not at hand."""
    row = _row_of(item, rows)
    if row is None:
        return None
    selected = msgspec.structs.replace(item, latest=item.version == latest, updated_at=moment.now)
    return _record(selected, row.content, moment), selected


def _row_of(item: Selected, rows: Sequence[MirrorRow]) -> MirrorRow | None:
    """The row with the very content that is served."""
    same = (row for row in rows if row.version == item.version and row.digest == item.digest)
    return next(same, None)


def _tombstone(item: Selected, rows: Sequence[MirrorRow], moment: Moment) -> Change:
    """What is left of a version that was served: enough for whoever copied it to let go of it."""
    row = next((row for row in rows if row.version == item.version), None)
    server = {"name": item.name, "version": item.version, "description": ""}
    message = ""
    if row is not None:
        entry = row.load()
        server["description"] = str(entry.server.get("description", ""))
        message = entry.status_message
    rest = Entry(server=server, status=Status.DELETED, status_message=message)
    selected = Selected(
        name=item.name,
        version=item.version,
        digest=rest.digest,
        published_at=item.published_at,
        updated_at=moment.now,
        removed_at=moment.now,
        in_base=item.in_base,
    )
    return _record(selected, msgspec.json.encode(rest.content), moment), selected


def _record(selected: Selected, content: bytes, moment: Moment) -> Record:
    return Record(
        name=selected.name,
        version=selected.version,
        digest=selected.digest,
        entry=msgspec.Raw(content),
        published_at=selected.published_at,
        updated_at=selected.updated_at,
        changed_at=moment.changed_at,
        latest=selected.latest,
        removed_at=selected.removed_at,
    )


def _verdict(
    name: str,
    changes: Iterable[Change],
    drops: Sequence[Selected],
    served: dict[str, Selected],
    excluded: Excluded | None,
) -> Verdict:
    dropped = [
        msgspec.structs.replace(item, dropped=True, latest=False) for item in drops if item.in_base
    ]
    markers = [
        (Record(name=name, version=item.version, digest=item.digest, dropped=True), item)
        for item in dropped
    ]
    ordered = sorted([*changes, *markers], key=lambda change: change[0].version)
    put = [record for record, _ in ordered if not record.removed_at and not record.dropped]
    return Verdict(
        name=name,
        records=tuple(record for record, _ in ordered),
        selected=tuple(selected for _, selected in ordered),
        forgotten=tuple(item.key for item in drops if not item.in_base),
        excluded=excluded,
        added=sum(record.version not in served for record in put),
        changed=sum(
            record.version in served and record.digest != served[record.version].digest
            for record in put
        ),
        removed=sum(bool(record.removed_at) for record, _ in ordered),
    )


def policy_reasons(allowed_tiers: Sequence[str], blocked_patterns: Sequence[str]) -> Reasons:
    """Which of the policy's tiers and blocked patterns keep an entry out; a pattern with `@` is about `name@version`."""
    tiers = frozenset(tier.casefold() for tier in allowed_tiers)
    by_name = glob_matcher(pattern for pattern in blocked_patterns if "@" not in pattern)
    by_version = glob_matcher(pattern for pattern in blocked_patterns if "@" in pattern)

    def is_blocked(facts: Facts) -> bool:
        names = (facts.name, facts.key)
        if by_name is not None and any(by_name.fullmatch(name) for name in names):
            return True
        return by_version is not None and any(
            by_version.fullmatch(f"{name}@{facts.version}") for name in names
        )

    def reasons(facts: Facts) -> tuple[str, ...]:
        has_wrong_tier = tiers and facts.tier.casefold() not in tiers
        return (
            *(("validationPolicy.allowedTiers",) if has_wrong_tier else ()),
            *(("validationPolicy.blockedPatterns",) if is_blocked(facts) else ()),
        )

    return reasons
