from __future__ import annotations

import contextlib
import gzip
import hashlib
import random
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thv.domain.entry import Entry, Status
from thv.domain.errors import Code, ThvError
from thv.domain.snapshot import (
    CHUNK_LIMIT,
    CHUNK_TARGET,
    UNPACKED_LIMIT,
    Chunk,
    ChunkRef,
    ChunkWriter,
    Key,
    Record,
    SnapshotDigest,
    chunk_target,
    merge,
    records,
    unpack,
)

TARGET, LIMIT = 40_000, 150_000


def a_record(name: str, version: str = "1.0.0", size: int = 400, seed: str = "") -> Record:
    """A record whose entry holds that many characters that do not compress well."""
    noise = random.Random(f"{name}{version}{seed}").randbytes(size // 2).hex()
    entry = Entry(server={"name": name, "version": version, "description": noise})
    raw = msgspec.Raw(msgspec.json.encode(entry.content))
    return Record(name=name, version=version, digest=entry.digest, entry=raw)


def many(count: int) -> list[Record]:
    return [a_record(f"io.example/server-{number:05}") for number in range(count)]


def chunks_of(rows: Iterable[Record], target: int = TARGET, limit: int = LIMIT) -> list[Chunk]:
    writer = ChunkWriter(target=target, limit=limit)
    done = [chunk for row in rows if (chunk := writer.add(row))]
    last = writer.finish()
    return [*done, last] if last else done


def rows_of(chunks: Iterable[Chunk]) -> list[Record]:
    return [row for chunk in chunks for row in records(unpack(chunk.packed, chunk.ref("c")))]


@pytest.fixture(scope="module")
def rows() -> list[Record]:
    return many(4_000)


@pytest.fixture(scope="module")
def chunks(rows: list[Record]) -> list[Chunk]:
    return chunks_of(rows)


# Records ---------------------------------------------------------------------------------------------------


def test_a_record_gives_its_entry_with_its_times() -> None:
    entry = Entry(
        server={"name": "a/b", "version": "1"},
        status=Status.DEPRECATED,
        published_at="2025-01-01T00:00:00Z",
        updated_at="2025-01-02T00:00:00Z",
        marked_latest=True,
    )
    record = Record(
        name="a/b",
        version="1",
        digest=entry.digest,
        entry=msgspec.Raw(msgspec.json.encode(entry.content)),
        published_at=entry.published_at,
        updated_at=entry.updated_at,
        latest=True,
    )
    read = msgspec.json.decode(msgspec.json.encode(record), type=Record)
    assert read.key == ("a/b", "1")
    assert read.load() == entry


def test_a_record_writes_only_what_it_says() -> None:
    record = Record(name="a", version="1", digest="d", published_at="t")
    assert msgspec.json.decode(msgspec.json.encode(record)) == {
        "name": "a",
        "version": "1",
        "digest": "d",
        "publishedAt": "t",
    }


# Chunks ----------------------------------------------------------------------------------------------------


def test_nothing_makes_no_chunk() -> None:
    assert chunks_of([]) == []


def test_chunks_hold_the_records_in_their_order(rows: list[Record], chunks: list[Chunk]) -> None:
    assert len(chunks) > 10
    assert sum(chunk.entries for chunk in chunks) == len(rows)
    assert [msgspec.json.encode(row) for row in rows_of(chunks)] == list(
        map(msgspec.json.encode, rows)
    )


def test_the_same_records_make_the_same_chunks(rows: list[Record], chunks: list[Chunk]) -> None:
    assert chunks_of(rows) == chunks


def test_a_chunk_of_changes_says_so() -> None:
    writer = ChunkWriter(delta=True)
    writer.add(a_record("a/b"))
    chunk = writer.finish()
    assert chunk is not None
    assert chunk.ref("x") == ChunkRef(
        name="x", digest=chunk.digest, entries=1, bytes=len(chunk.packed), delta=True
    )


@pytest.mark.parametrize("place", [0, 1_234, 2_500, 3_999])
@pytest.mark.parametrize("change", ["other", "gone", "new"])
def test_a_change_in_one_place_leaves_the_other_chunks_alone(
    rows: list[Record], chunks: list[Chunk], place: int, change: str
) -> None:
    row = rows[place]
    instead = {
        "other": [a_record(row.name, seed="changed")],
        "gone": [],
        "new": [row, a_record(row.name, "2.0.0")],
    }[change]
    changed = chunks_of([*rows[:place], *instead, *rows[place + 1 :]])
    kept = {chunk.digest for chunk in chunks} & {chunk.digest for chunk in changed}
    assert len(kept) >= len(chunks) - 2


def test_no_chunk_exceeds_the_limit(chunks: list[Chunk]) -> None:
    assert all(len(chunk.packed) <= LIMIT for chunk in chunks)


def test_large_records_do_not_push_a_chunk_over_the_limit() -> None:
    sizes = random.Random(7).choices([200, 5_000, 60_000], k=120)
    large = [a_record(f"a/{number:03}", size=size) for number, size in enumerate(sizes)]
    chunks = chunks_of(large)
    assert all(len(chunk.packed) <= LIMIT for chunk in chunks)
    assert [row.key for row in rows_of(chunks)] == [row.key for row in large]


def test_a_record_that_completes_a_chunk_and_does_not_fit_itself_begins_the_next() -> None:
    writer = ChunkWriter(target=TARGET, limit=LIMIT)
    assert writer.add(a_record("a/a", size=60_000)) is None
    first = writer.add(a_record("a/b", size=180_000))
    second = writer.add(a_record("a/c"))
    assert [chunk and chunk.entries for chunk in (first, second)] == [1, 1]


def test_a_chunk_that_compresses_well_is_cut_before_it_is_too_large_to_unpack() -> None:
    raw = msgspec.Raw(b'{"server":{"description":"' + b"a" * 1_000_000 + b'"}}')
    rows = [Record(name=f"a/{n}", version="1", digest="", entry=raw) for n in range(20)]
    chunks = chunks_of(rows, CHUNK_TARGET, CHUNK_LIMIT)
    assert len(chunks) == 3
    assert all(len(unpack(chunk.packed, chunk.ref("c"))) < UNPACKED_LIMIT for chunk in chunks)


def test_chunks_of_large_registries_are_larger() -> None:
    targets = [chunk_target(entries) for entries in (1, 50_000, 100_000, 400_000)]
    assert targets == sorted(targets)
    assert targets[0] == CHUNK_TARGET
    assert targets[-1] < CHUNK_LIMIT


def test_the_digest_of_a_snapshot_does_not_depend_on_its_chunks(rows: list[Record]) -> None:
    def digest(listed: Iterable[Record]) -> tuple[str, int]:
        whole = SnapshotDigest()
        for row in listed:
            whole.add(row.name, row.version, row.digest)
        return whole.value(), whole.entries

    few = rows[:500]
    assert digest(rows_of(chunks_of(few))) == digest(rows_of(chunks_of(few, 5_000, 60_000)))
    assert digest(few) != digest(few[:-1])


# Damage ----------------------------------------------------------------------------------------------------


def test_every_flipped_bit_is_refused_or_changes_nothing() -> None:
    """A few bits of a gzip frame mean nothing, such as its time; none leads to other content."""
    (chunk,) = chunks_of(many(3))
    ref, plain = chunk.ref("c"), unpack(chunk.packed, chunk.ref("c"))
    accepted = 0
    for bit in range(len(chunk.packed) * 8):
        damaged = bytearray(chunk.packed)
        damaged[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(ThvError):
            assert unpack(bytes(damaged), ref) == plain
            accepted += 1
    assert accepted <= 80


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: b"",
        lambda packed: packed[:-1],
        lambda packed: packed[:-8],
        lambda packed: packed[: len(packed) // 2],
        lambda packed: packed + b"x",
        lambda packed: packed + packed,
        lambda packed: b"not gzip",
        lambda packed: gzip.compress(b"{}\n"),
    ],
)
def test_a_chunk_that_is_not_what_was_written_is_refused(damage: object) -> None:
    (chunk,) = chunks_of(many(3))
    assert callable(damage)
    with pytest.raises(ThvError) as caught:
        unpack(damage(chunk.packed), chunk.ref("catalog-s-1"))
    assert caught.value.code is Code.SNAPSHOT_DAMAGED
    assert caught.value.details == {"chunk": "catalog-s-1", "digest": chunk.digest}


def test_a_chunk_under_another_digest_is_refused() -> None:
    one, other = chunks_of(many(3)), chunks_of(many(4))
    with pytest.raises(ThvError, match="do not have the digest"):
        unpack(one[0].packed, other[0].ref("c"))


def test_a_bomb_is_refused_without_being_unpacked() -> None:
    bomb = gzip.compress(b"\n" * (UNPACKED_LIMIT * 8))
    digest = "sha256:" + hashlib.sha256(b"\n" * (UNPACKED_LIMIT * 8)).hexdigest()
    with pytest.raises(ThvError, match="unpacks to more"):
        unpack(bomb, ChunkRef(name="c", digest=digest, entries=0, bytes=len(bomb)))


# Base and delta --------------------------------------------------------------------------------------------

keys = st.tuples(st.sampled_from(["a/a", "a/b", "b/a", "b/B"]), st.sampled_from(["1", "2", ""]))


def some_records(digest: str) -> st.SearchStrategy[list[Record]]:
    rows = st.dictionaries(keys, st.booleans(), max_size=8)
    return rows.map(
        lambda found: [
            Record(name=name, version=version, digest=digest, dropped=dropped and digest == "new")
            for (name, version), dropped in sorted(found.items())
        ]
    )


@settings(max_examples=300)
@given(some_records("old"), some_records("new"))
def test_a_delta_stands_for_the_records_of_its_keys(
    base: list[Record], delta: list[Record]
) -> None:
    model: dict[Key, Record] = {row.key: row for row in base}
    for row in delta:
        if row.dropped:
            model.pop(row.key, None)
        else:
            model[row.key] = row
    assert list(merge(base, delta)) == [model[key] for key in sorted(model)]
