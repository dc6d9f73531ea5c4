"""A sync from source to snapshot, over in-memory kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import item, server, toolhive
from tests.sync.world import World
from thv.domain.errors import Code, ThvError
from thv.domain.left_out import NAME_LIMIT, LeftOut, parse
from thv.domain.snapshot import records as records_of_chunk
from thv.stores.chunks.base import Owner


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


@pytest.mark.requirement("SYN-02", "REG-10")
def test_a_document_becomes_a_snapshot() -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"), server("a/two"), server("a/two", "2.0.0"))
        await world.apply()
        await world.reconcile()
        assert await world.served() == {"a/one": ["1.0.0*"], "a/two": ["1.0.0", "2.0.0*"]}
        assert await world.digest_holds()
        status = (await world.registry()).status
        assert (status.server_count, status.version_count, status.phase) == (2, 3, "Ready")
        assert await world.condition("Ready") == "True Succeeded"

    run(story())


@pytest.mark.requirement("SYN-02")
@pytest.mark.parametrize(
    ("code", "condition"),
    [
        (Code.SOURCE_UNREACHABLE, "SourceAvailable"),
        (Code.AUTHENTICATION_FAILED, "SourceAvailable"),
        (Code.FORMAT_INVALID, "DataValid"),
    ],
)
def test_a_failed_fetch_keeps_the_last_good_snapshot(code: Code, condition: str) -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"))
        await world.apply()
        await world.reconcile()
        before = (await world.registry()).status.snapshot
        world.source.fail(ThvError(code, "it failed"))
        await world.reconcile()
        status = (await world.registry()).status
        assert status.snapshot == before
        assert (await world.condition("Ready"), status.phase) == ("True ServingLastGood", "Ready")
        assert (await world.condition(condition)).startswith("False")
        assert status.sync_status.error is not None
        assert status.sync_status.last_sync_time != status.sync_status.last_attempt

    run(story())


@pytest.mark.parametrize(
    "document",
    [b"[]", b'{"servers":{}}', b'{"hello":1}', b"<html>", b"", b'[{"server":{"name":"a/one"'],
)
def test_an_empty_or_foreign_document_never_replaces_content(document: bytes) -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"))
        await world.apply()
        await world.reconcile()
        world.source.publish(document)
        await world.reconcile()
        assert await world.served() == {"a/one": ["1.0.0*"]}
        assert (await world.condition("DataValid")).startswith("False")

    run(story())


@pytest.mark.parametrize(
    ("path", "text", "names"),
    [
        ("a/spec.yaml", "image: x/y:1.0.0\ntransport: stdio\n", ["io.github.stacklok/a"]),
        ("all.yml", "servers: {one: {image: 'x/y:1.0.0'}}\n", ["io.github.stacklok/one"]),
        ("official.yaml", "[{name: a/b, version: 1.2.3, description: d}]\n", ["a/b"]),
    ],
)
def test_a_single_yaml_file_is_an_entry_or_a_document(
    path: str, text: str, names: list[str]
) -> None:
    async def story() -> None:
        world = World()
        world.source.publish({path: text.encode()})
        await world.apply()
        await world.reconcile()
        assert list(await world.served()) == names

    run(story())


@pytest.mark.parametrize(
    "text",
    [
        b"servers: {null: 1}",
        b"- " + b"9" * 5000,
        b"- 0x" + b"f" * 5000,
        b"!!int abc",
        b"? {a: b}\n: c",
        b"[" * 5000,
    ],
)
def test_yaml_that_is_no_json_is_told_and_never_breaks_a_sync(text: bytes) -> None:
    async def story() -> None:
        world = World()
        world.source.publish({"official.yaml": text})
        await world.apply()
        await world.reconcile()
        assert await world.condition("DataValid") == "False FormatInvalid"

    run(story())


def test_a_folder_keeps_every_file_that_is_an_entry() -> None:
    async def story() -> None:
        world = World()
        files = {
            "a/spec.yaml": b"image: x/y:1.0.0\n",
            "b.yaml": b"image: [",
            "c.json": b'{"url":"https://c/mcp","transport":"sse"}',
        }
        world.source.publish(files, folder=True)
        await world.apply()
        await world.reconcile()
        assert list(await world.served()) == ["io.github.stacklok/a", "io.github.stacklok/c"]
        assert await world.condition("DataValid") == "True ParsedWithSkips"

    run(story())


def test_a_bad_entry_is_reported_and_the_others_are_served() -> None:
    async def story() -> None:
        world = World()
        world.source.publish(
            msgspec.json.encode([server("a/one"), {"name": 7}, "x", server("a/two")])
        )
        await world.apply()
        await world.reconcile()
        assert set(await world.served()) == {"a/one", "a/two"}
        assert await world.condition("DataValid") == "True ParsedWithSkips"
        conversion = (await world.registry()).status.sync_status.conversion
        assert conversion is not None
        assert (
            conversion.read,
            conversion.converted,
            conversion.skipped,
            conversion.success_percent,
        ) == (4, 2, 2, 50)

    run(story())


@pytest.mark.requirement("FMT-04")
def test_the_conversion_rate_says_how_many_entries_cannot_be_run() -> None:
    async def story() -> None:
        world = World()
        world.publish(
            server("a/one"),
            server("a/two", packages=[{"registryType": "mcpb", "identifier": "https://x/y"}]),
        )
        await world.apply()
        await world.reconcile()
        conversion = (await world.registry()).status.sync_status.conversion
        assert conversion is not None
        assert (conversion.success_percent, conversion.lossy) == (100, 1)

    run(story())


def test_unchanged_content_writes_no_chunk_and_at_most_one_status_an_interval() -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"))
        await world.apply()
        await world.reconcile()
        puts, version = world.chunks.puts, (await world.registry()).resource_version
        world.source.publish(
            msgspec.json.encode([server("a/one")])
        )  # another revision, the same content
        await world.reconcile(after=timedelta(minutes=65))
        assert world.chunks.puts == puts
        assert int((await world.registry()).resource_version) <= int(version) + 1

    run(story())


@pytest.mark.parametrize("volatile", ["stars", "pulls", "last_updated"])
def test_volatile_fields_change_no_digest_and_follow_within_a_day(volatile: str) -> None:
    async def story() -> None:
        world = World()
        world.source.publish(toolhive(one={"metadata": {volatile: 1}}))
        await world.apply()
        await world.reconcile()
        first = (await world.registry()).status.snapshot
        world.source.publish(toolhive(one={"metadata": {volatile: 2}}))
        await world.reconcile()
        assert (await world.registry()).status.snapshot == first
        world.source.publish(toolhive(one={"metadata": {volatile: 3}}))
        await world.reconcile(after=timedelta(hours=25))
        (record,) = await world.records()
        assert f'"{volatile}":3'.encode() in bytes(record.entry)
        last = (await world.registry()).status.snapshot
        assert first is not None
        assert last is not None
        assert last.digest == first.digest

    run(story())


@pytest.mark.requirement("REG-09")
def test_a_changed_filter_is_applied_without_asking_the_source_again() -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"), server("b/two"))
        await world.apply()
        await world.reconcile()
        asked = world.source.fetches
        await world.apply(filter={"exclude": {"names": ["b/*"]}})
        await world.reconcile(after=timedelta(minutes=1))
        assert await world.served() == {"a/one": ["1.0.0*"]}
        assert world.source.fetches == asked
        status = (await world.registry()).status
        assert status.statistics is not None
        assert status.statistics.filtered_out == 1
        await world.apply()
        await world.reconcile(after=timedelta(minutes=1))
        assert set(await world.served()) == {"a/one", "b/two"}

    run(story())


@pytest.mark.requirement("REG-11")
def test_nothing_is_counted_of_a_source_that_is_read_no_more() -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"), server("a/two"))
        await world.apply(filter={"exclude": {"names": ["a/two"]}})
        await world.reconcile()
        assert await filtered_out(world) == 1
        world.mirror = "another"
        world.publish(server("b/one"))
        await world.apply(description="another source")
        await world.reconcile()
        assert await filtered_out(world) == 0

    run(story())


@pytest.mark.requirement("REG-09")
def test_the_names_that_are_left_out_are_listed_with_the_rules_that_do() -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"), server("b/two"), server("b/three"), server("c/four"))
        policy = {"blockedPatterns": ["c/*"]}
        await world.apply(filter={"exclude": {"names": ["b/*"]}}, validationPolicy=policy)
        await world.reconcile()
        by_name = ("filter.exclude.names",)
        blocked = LeftOut("c/four", 1, ("validationPolicy.blockedPatterns",))
        assert await left_out(world) == [
            LeftOut("b/three", 1, by_name),
            LeftOut("b/two", 1, by_name),
            blocked,
        ]
        stored = world.chunks.puts
        world.publish(
            server("a/one", "2.0.0"), server("b/two"), server("b/three"), server("c/four")
        )
        await world.reconcile()
        assert world.chunks.puts == stored + 1, "the same list is not written again"
        await world.apply(validationPolicy=policy)
        await world.reconcile()
        assert await left_out(world) == [blocked]
        await world.apply()
        await world.reconcile()
        assert await left_out(world) == []

    run(story())


def test_the_list_of_what_is_left_out_stays_short_and_old_ones_are_collected() -> None:
    async def story() -> None:
        world = World()
        world.publish(server("z/taken"), *(server(f"a/n{n:04}") for n in range(NAME_LIMIT + 5)))
        await world.apply(filter={"exclude": {"names": ["a/*"]}})
        await world.reconcile()
        assert len(await left_out(world)) == NAME_LIMIT
        assert await filtered_out(world) == NAME_LIMIT + 5
        registry = await world.registry()
        owner = Owner(registry.namespace, registry.name, registry.uid)
        before = {chunk.name for chunk in await world.chunks.list(owner)}
        world.publish(server("z/taken"), server("a/n0001"))
        await world.reconcile()
        await world.reconcile(after=timedelta(days=2))
        assert await left_out(world) == [LeftOut("a/n0001", 1, ("filter.exclude.names",))]
        after = {chunk.name for chunk in await world.chunks.list(owner)}
        assert len(before - after) == 1, "the long list is gone"
        assert await world.digest_holds()

    run(story())


def test_a_store_without_room_for_the_list_serves_without_it() -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"), server("b/two"))
        await world.apply()
        await world.reconcile()
        await world.apply(validationPolicy={"blockedPatterns": ["none/*"]})
        world.publish(server("a/one"), server("b/two"), server("none/three"))
        world.chunks.failures = 1
        await world.reconcile()
        assert await world.condition("Ready") == "True Succeeded"
        assert await left_out(world) == []

    run(story())


async def left_out(world: World) -> list[LeftOut]:
    registry = await world.registry()
    statistics = registry.status.statistics
    if statistics is None or statistics.left_out is None:
        return []
    owner = Owner(registry.namespace, registry.name, registry.uid)
    return parse(await world.chunks.get(owner, statistics.left_out))


async def filtered_out(world: World) -> int:
    statistics = (await world.registry()).status.statistics
    return statistics.filtered_out if statistics else -1


def test_registries_of_one_source_share_one_fetch() -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"), server("b/two"))
        await world.apply("first")
        await world.apply("second", filter={"include": {"names": ["a/*"]}})
        await world.reconcile("first")
        await world.reconcile("second", after=timedelta(seconds=1))
        assert world.source.fetches == 1
        assert set(await world.served("second")) == {"a/one"}

    run(story())


@pytest.mark.requirement("REG-08")
def test_a_requested_sync_runs_though_automatic_sync_is_off_and_is_answered() -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"))
        await world.apply(syncPolicy={"enabled": False})
        await world.reconcile()
        assert await world.served() == {}
        assert await world.condition("SyncSucceeded") == "Unknown Suspended"
        await world.annotate(sync_requested_at="please")
        await world.reconcile()
        assert await world.served() == {"a/one": ["1.0.0*"]}
        assert (await world.registry()).status.last_handled_sync_request == "please"
        asked = world.source.fetches
        await world.reconcile()
        assert world.source.fetches == asked

    run(story())


@pytest.mark.requirement("REG-07")
@pytest.mark.parametrize(
    ("on_update", "expected"),
    [
        ("create", {"a/one": "old", "a/two": "old", "a/new": "new"}),
        ("update", {"a/one": "new", "a/new": "new"}),
        ("recreate", {"a/one": "new", "a/new": "new"}),
    ],
)
def test_on_update_says_what_a_sync_may_do(on_update: str, expected: dict[str, str]) -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one", description="old"), server("a/two", description="old"))
        await world.apply(syncPolicy={"onUpdate": on_update})
        await world.reconcile()
        world.publish(server("a/one", description="new"), server("a/new", description="new"))
        await world.reconcile()
        records = [record for record in await world.records() if not record.removed_at]
        assert {record.name: record.load().server["description"] for record in records} == expected

    run(story())


def test_an_interrupted_first_run_goes_on_where_it_stopped() -> None:
    async def story() -> None:
        world = World()
        world.publish_pages(*([item(server(f"a/s{n}"))] for n in range(10)))
        world.source.fail_after(6, ThvError(Code.SOURCE_TIMEOUT, "slow"))
        await world.apply()
        await world.reconcile()
        assert await world.served() == {}
        assert await world.condition("Ready") == "False SourceNotReady"
        assert (await world.registry()).status.sync_status.attempt_count == 1
        await world.reconcile()
        assert len(await world.served()) == 10

    run(story())


def test_the_budget_of_retries_is_renewed_by_every_gained_page() -> None:
    async def story() -> None:
        world = World()
        world.publish_pages(*([item(server(f"a/s{n}"))] for n in range(10)))
        await world.apply(syncPolicy={"retry": {"maxRetries": 1}})
        for page in range(1, 9):
            world.source.fail_after(page, ThvError(Code.SOURCE_TIMEOUT, "slow"))
            await world.reconcile()
            assert await world.condition("SyncSucceeded") == "False Retrying"
        await world.reconcile()
        assert len(await world.served()) == 10

    run(story())


def test_an_increment_changes_what_it_names_and_nothing_else() -> None:
    async def story() -> None:
        world = World()
        world.publish_pages([item(server(f"a/s{n}"), isLatest=True) for n in range(5)])
        await world.apply()
        await world.reconcile()
        world.publish_pages(
            [item(server("a/s1", "2.0.0"), isLatest=True), item(server("a/s2"), status="deleted")],
            complete=False,
        )
        await world.reconcile()
        served = await world.served()
        assert served["a/s1"] == ["1.0.0", "2.0.0*"]
        assert "a/s2" not in served
        assert len(served) == 4
        assert await world.digest_holds()

    run(story())


@pytest.mark.requirement("GOV-04")
def test_a_governed_registry_serves_nothing_that_was_not_promoted() -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"))
        await world.apply(trustLevel="trusted", validationPolicy={"approvalRequired": True})
        await world.reconcile()
        registry = await world.registry()
        assert await world.served() == {}
        assert registry.status.candidates is not None
        assert registry.status.candidates.entries == 1
        assert await world.condition("PolicySatisfied") == "False ApprovalPending"
        assert registry.status.catalog_state is not None
        assert registry.status.catalog_state.pending_promotion == 1

    run(story())


def test_when_everything_derived_is_lost_the_next_sync_writes_the_same_snapshot() -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"), server("a/two"))
        await world.apply()
        await world.reconcile()
        world.publish(server("a/one"), server("a/two", "2.0.0"))
        await world.reconcile()
        before, puts = (await world.registry()).status.snapshot, world.chunks.puts
        world.forget_working_state()
        await world.reconcile()
        after = (await world.registry()).status.snapshot
        assert before is not None
        assert after is not None
        assert (after.digest, world.chunks.puts) == (before.digest, puts)

    run(story())


@pytest.mark.parametrize("failures", [1, 2])
def test_a_store_that_is_full_leaves_what_is_served(failures: int) -> None:
    async def story() -> None:
        world = World()
        world.publish(server("a/one"))
        await world.apply()
        await world.reconcile()
        world.publish(server("a/one"), server("a/two"))
        world.chunks.failures = failures
        for _ in range(failures):
            await world.reconcile()
            assert set(await world.served()) == {"a/one"}
            assert "False" in await world.condition("SyncSucceeded")
        await world.reconcile()
        assert set(await world.served()) == {"a/one", "a/two"}

    run(story())


def test_chunks_that_nobody_names_are_removed_after_ten_minutes() -> None:
    async def story() -> None:
        world = World()
        await world.apply()
        for n in range(6):
            world.publish(*(server(f"a/s{m}", description=str(n)) for m in range(3)))
            await world.reconcile()
        registry = await world.registry()
        owner = Owner(registry.namespace, registry.name, registry.uid)
        assert len(await world.chunks.list(owner)) <= 4

    run(story())


def test_a_few_changes_in_a_large_registry_write_one_small_chunk() -> None:
    async def story() -> None:
        world = World()
        many = {f"a/s{n:05}": server(f"a/s{n:05}") for n in range(3000)}
        world.publish(*many.values())
        await world.apply()
        await world.reconcile()
        first = (await world.registry()).status.snapshot
        many |= {f"a/s{n:05}": server(f"a/s{n:05}", description="new") for n in range(0, 3000, 100)}
        world.publish(*many.values())
        await world.reconcile()
        second = (await world.registry()).status.snapshot
        assert first is not None
        assert second is not None
        assert second.chunks[:-1] == first.chunks
        delta = second.chunks[-1]
        assert (delta.delta, delta.entries) == (True, 30)
        assert await world.digest_holds()

    run(story())


NAMES = [f"n/{letter}" for letter in "abcd"]
Content = dict[tuple[str, str], str]


@pytest.mark.flows
@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.dictionaries(
            st.tuples(st.sampled_from(NAMES), st.sampled_from(["1.0.0", "2.0.0"])),
            st.sampled_from("xyz"),
            min_size=1,
        ),
        min_size=1,
        max_size=6,
    ),
    losses=st.sets(st.integers(0, 5)),
    fold=st.booleans(),
)
def test_any_sequence_of_contents_is_served_as_published(
    steps: list[Content], losses: set[int], fold: bool
) -> None:
    """Whatever came before, after a sync the registry serves the last content, and the digest is that of a
    registry that never saw anything else, tombstones aside."""

    async def story() -> None:
        world = World()
        await world.apply()
        for place, content in enumerate(steps):
            if place in losses:
                world.forget_working_state()
            world.publish(
                *(
                    server(name, version, description=text)
                    for (name, version), text in content.items()
                )
            )
            await world.reconcile(after=timedelta(hours=26 if fold else 2))
            alive = [record for record in await world.records() if not record.removed_at]
            assert {record.key: record.load().server["description"] for record in alive} == content
            assert [record.key for record in alive] == sorted(content)
            assert await world.digest_holds()
            latest = {record.name: record.version for record in alive if record.latest}
            assert latest == {name: max(v for n, v in content if n == name) for name, _ in content}

    run(story())


def test_every_chunk_holds_its_records_in_order() -> None:
    async def story() -> None:
        world = World()
        world.publish(*(server(f"z/{n}", f"{v}.0.0") for n in range(20) for v in range(1, 4)))
        await world.apply()
        await world.reconcile()
        registry = await world.registry()
        assert registry.status.snapshot is not None
        owner = Owner(registry.namespace, registry.name, registry.uid)
        keys = [
            record.key
            for ref in registry.status.snapshot.chunks
            for record in records_of_chunk(await world.chunks.get(owner, ref))
        ]
        assert keys == sorted(keys)
        assert len(keys) == 60

    run(story())
