"""What a registry takes of the versions of one name, and what that changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from tests.builders import item, server
from thv.domain.facts import Facts, facts_of
from thv.domain.filter import Filter, Selection, filter_reasons
from thv.domain.registry import OnUpdate
from thv.domain.taxonomy import NO_TAXONOMY
from thv.formats.official import entry_of
from thv.stores.mirrors.base import Excluded, MirrorRow, Selected
from thv.sync.choose import Moment, Rules, Verdict, choose, policy_reasons

FIRST = Moment(now="2026-01-01T00:00:00Z", tombstones_since="2025-12-01T00:00:00Z", first=True)
THEN = Moment(now="2026-01-02T00:00:00Z", tombstones_since="2025-12-02T00:00:00Z")
MUCH_LATER = Moment(now="2026-03-01T00:00:00Z", tombstones_since="2026-01-30T00:00:00Z")


def rules(**given: Any) -> Rules:
    usual: dict[str, Any] = {
        "versions": "all",
        "filtered_by": lambda _: (),
        "blocked_by": lambda _: (),
        "on_update": OnUpdate.UPDATE,
        "taxonomy": NO_TAXONOMY,
    }
    return Rules(**{**usual, **given})


def row(
    version: str, *, deleted: bool = False, description: str = "x", **official: Any
) -> MirrorRow:
    entry = entry_of(item(server("a/b", version, description=description), **official))
    return MirrorRow(
        name="a/b",
        version=version,
        digest=entry.digest,
        content=msgspec.json.encode(entry.content),
        published_at=entry.published_at,
        updated_at=entry.updated_at,
        marked_latest=entry.marked_latest,
        deleted=deleted or entry.deleted,
    )


def decide(
    rows: Sequence[MirrorRow], before: Sequence[Selected] = (), moment: Moment = THEN, **given: Any
) -> Verdict:
    return choose("a/b", rows, before, rules(**given), moment)


def after(before: Sequence[Selected], verdict: Verdict) -> list[Selected]:
    """What the selection holds once a verdict was taken."""
    kept = {one.key: one for one in before}
    kept.update((one.key, one) for one in verdict.selected)
    return [one for key, one in sorted(kept.items()) if key not in verdict.forgotten]


def served(selection: Sequence[Selected]) -> dict[str, bool]:
    """Version to "is the latest"."""
    return {one.version: one.latest for one in selection if not one.removed_at and not one.dropped}


def test_the_first_sync_takes_every_version_and_marks_the_highest() -> None:
    verdict = decide([row("1.0.0"), row("1.10.0"), row("1.9.0")], moment=FIRST)
    assert served(verdict.selected) == {"1.0.0": False, "1.10.0": True, "1.9.0": False}
    assert verdict.added == 3
    assert {record.changed_at for record in verdict.records} == {""}


def test_latest_takes_one_version_and_the_mark_of_the_source_decides() -> None:
    verdict = decide([row("1.0.0", isLatest=True), row("2.0.0")], versions="latest")
    assert served(verdict.selected) == {"1.0.0": True}


def test_nothing_changed_means_no_record() -> None:
    rows = [row("1.0.0"), row("2.0.0")]
    before = after((), decide(rows, moment=FIRST))
    assert decide(rows, before).records == ()


def test_a_new_version_takes_the_mark_and_moves_the_times_of_both() -> None:
    before = after((), decide([row("1.0.0", updatedAt="2025-06-01T00:00:00Z")], moment=FIRST))
    verdict = decide([row("1.0.0", updatedAt="2025-06-01T00:00:00Z"), row("2.0.0")], before)
    assert served(verdict.selected) == {"1.0.0": False, "2.0.0": True}
    assert {record.updated_at for record in verdict.records} == {THEN.now}
    assert {record.changed_at for record in verdict.records} == {THEN.now}
    assert (verdict.added, verdict.changed, verdict.removed) == (1, 0, 0)


def test_changed_content_keeps_the_day_of_publication_and_the_time_of_the_source() -> None:
    before = after((), decide([row("1.0.0", publishedAt="2025-01-01T00:00:00Z")], moment=FIRST))
    verdict = decide(
        [
            row(
                "1.0.0",
                description="y",
                publishedAt="2025-01-01T00:00:00Z",
                updatedAt="2026-01-01T12:00:00Z",
            )
        ],
        before,
    )
    (record,) = verdict.records
    assert (record.published_at, record.updated_at) == (
        "2025-01-01T00:00:00Z",
        "2026-01-01T12:00:00Z",
    )
    assert verdict.changed == 1


def test_without_times_of_the_source_ours_are_used() -> None:
    verdict = decide([row("1.0.0")], moment=FIRST)
    assert (verdict.records[0].published_at, verdict.records[0].updated_at) == (
        FIRST.now,
        FIRST.now,
    )


@pytest.mark.parametrize(
    "gone",
    [
        [row("1.0.0")],
        [row("1.0.0"), row("2.0.0", deleted=True)],
        [row("1.0.0"), row("2.0.0", status="deleted")],
    ],
)
def test_what_the_source_has_no_more_becomes_a_tombstone_and_the_mark_moves_on(
    gone: list[MirrorRow],
) -> None:
    before = after((), decide([row("1.0.0"), row("2.0.0")], moment=FIRST))
    verdict = decide(gone, before)
    selection = after(before, verdict)
    assert served(selection) == {"1.0.0": True}
    tomb = next(record for record in verdict.records if record.removed_at)
    assert (tomb.version, tomb.removed_at) == ("2.0.0", THEN.now)
    assert set(tomb.load().server) == {"name", "version", "description"}


def test_a_tombstone_tells_why_the_source_deleted_it() -> None:
    before = after((), decide([row("1.0.0")], moment=FIRST))
    verdict = decide([row("1.0.0", status="deleted", statusMessage="malware")], before)
    assert verdict.records[0].load().status_message == "malware"


def test_what_was_never_served_leaves_no_trace() -> None:
    assert decide([row("1.0.0", status="deleted")]).records == ()


def test_a_tombstone_is_written_once_and_dropped_after_its_days() -> None:
    before = after((), decide([row("1.0.0")], moment=FIRST))
    before = after(before, decide([row("1.0.0"), row("2.0.0")], before))
    before = after(before, decide([row("1.0.0")], before))
    assert decide([row("1.0.0")], before).records == ()
    verdict = decide([row("1.0.0")], before, MUCH_LATER)
    assert verdict.forgotten == (("a/b", "2.0.0"),)


def test_a_dropped_record_that_the_base_holds_leaves_a_marker() -> None:
    in_base = after((), decide([row("1.0.0"), row("2.0.0")], moment=FIRST))
    assert all(one.in_base for one in in_base)
    in_base = after(in_base, decide([row("1.0.0")], in_base))
    verdict = decide([row("1.0.0")], in_base, MUCH_LATER)
    assert [(record.version, record.dropped) for record in verdict.records] == [("2.0.0", True)]
    assert verdict.forgotten == ()


def test_what_comes_back_is_served_again() -> None:
    before = after((), decide([row("1.0.0")], moment=FIRST))
    before = after(before, decide([row("1.0.0", deleted=True)], before))
    verdict = decide([row("1.0.0")], before)
    assert (served(verdict.selected), verdict.added) == ({"1.0.0": True}, 1)


@pytest.mark.requirement("REG-09")
def test_a_filter_may_take_the_latest_away() -> None:
    only_old = lambda facts: () if facts.version == "1.0.0" else ("rule",)  # noqa: E731
    verdict = decide([row("1.0.0"), row("2.0.0", isLatest=True)], filtered_by=only_old)
    assert served(verdict.selected) == {"1.0.0": True}
    assert verdict.excluded == Excluded("a/b", 1, 0, ("rule",))


@pytest.mark.requirement("REG-07")
def test_create_adds_and_neither_changes_nor_removes() -> None:
    before = after(
        (), decide([row("1.0.0"), row("1.5.0")], moment=FIRST, on_update=OnUpdate.CREATE)
    )
    now = [row("1.0.0", description="y"), row("1.5.0", deleted=True), row("2.0.0")]
    verdict = decide(now, before, on_update=OnUpdate.CREATE)
    assert served(after(before, verdict)) == {"1.0.0": False, "1.5.0": False, "2.0.0": True}
    assert (verdict.added, verdict.changed, verdict.removed) == (1, 0, 0)


def facts(name: str, version: str = "1.0.0", tier: str = "") -> Facts:
    entry = entry_of(server(name, version))
    return msgspec.structs.replace(facts_of(entry), tier=tier)


def test_a_kept_version_whose_content_is_lost_keeps_the_mark() -> None:
    before = after((), decide([row("1.5.0")], moment=FIRST))
    verdict = decide([row("2.0.0")], before, on_update=OnUpdate.CREATE)
    assert served(after(before, verdict)) == {"1.5.0": True, "2.0.0": False}


@pytest.mark.parametrize(
    ("tiers", "patterns", "subject", "allowed"),
    [
        ([], [], facts("a/b"), True),
        (["Official"], [], facts("a/b", tier="official"), True),
        (["Official"], [], facts("a/b", tier="Community"), False),
        (["Official"], [], facts("a/b"), False),
        ([], ["*-experimental"], facts("a/b-experimental"), False),
        ([], ["b-*"], facts("io.github.stacklok/b-x"), False),
        ([], ["*@*-alpha*"], facts("a/b", "1.0.0-alpha.1"), False),
        ([], ["*@*-alpha*"], facts("a/b-alpha", "1.0.0"), True),
    ],
)
def test_policy_allows_by_tier_and_pattern(
    tiers: list[str], patterns: list[str], subject: Facts, allowed: bool
) -> None:
    assert (not policy_reasons(tiers, patterns)(subject)) is allowed


def test_filter_and_policy_are_counted_apart() -> None:
    only = Filter(exclude=Selection(names=("x/*",)), include=Selection(names=("a/*",)))
    rows = [row("1.0.0"), row("2.0.0-alpha")]
    verdict = decide(
        rows, filtered_by=filter_reasons(only), blocked_by=policy_reasons([], ["*@*-alpha"])
    )
    assert verdict.excluded == Excluded("a/b", 0, 1, ("validationPolicy.blockedPatterns",))
    other = Filter(exclude=Selection(names=("a/*",)), include=Selection(tags=("database",)))
    verdict = decide(rows, filtered_by=filter_reasons(other))
    rules_ = ("filter.exclude.names", "filter.include.tags")
    assert verdict.excluded == Excluded("a/b", 2, 0, rules_)
