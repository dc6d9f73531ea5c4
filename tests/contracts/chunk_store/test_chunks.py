"""What every kind of chunk store promises."""

from __future__ import annotations

import pytest

from tests.contracts.chunk_store.kinds import Place
from thv.domain.errors import Code, ThvError
from thv.domain.snapshot import CHUNK_LIMIT, Chunk, ChunkRef, ChunkWriter, Record, records
from thv.stores.chunks.base import chunk_name

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("REG-13")]


def a_chunk(*names: str) -> Chunk:
    writer = ChunkWriter()
    for name in names:
        writer.add(Record(name=name, version="1.0.0", digest="sha256:" + "0" * 64))
    chunk = writer.finish()
    assert chunk is not None
    return chunk


async def refusal(place: Place, *, name: str, ref: ChunkRef) -> ThvError:
    with pytest.raises(ThvError) as error:
        await place.chunks.get(await place.new_owner(name), ref)
    return error.value


async def test_a_chunk_is_read_back_by_its_reference(place: Place) -> None:
    owner, chunk = await place.new_owner("corp"), a_chunk("a", "b")
    ref = await place.chunks.put(owner, chunk)
    assert ref == chunk.ref(chunk_name(owner, chunk.digest))
    assert (ref.entries, ref.bytes) == (2, len(chunk.packed))
    plain = await place.chunks.get(owner, ref)
    assert [record.name for record in records(plain)] == ["a", "b"]


async def test_putting_a_chunk_again_changes_nothing(place: Place) -> None:
    owner, chunk = await place.new_owner("corp"), a_chunk("a")
    first = await place.chunks.put(owner, chunk)
    before = await place.chunks.list(owner)
    assert await place.chunks.put(owner, chunk) == first
    assert await place.chunks.list(owner) == before


async def test_the_largest_chunk_fits(place: Place) -> None:
    owner = await place.new_owner("corp")
    chunk = Chunk("sha256:" + "5" * 64, 1, b"x" * CHUNK_LIMIT)
    assert (await place.chunks.put(owner, chunk)).bytes == CHUNK_LIMIT


async def test_a_registry_sees_its_own_chunks_alone(place: Place) -> None:
    one, two = await place.new_owner("corp"), await place.new_owner("corp-two")
    mine = [await place.chunks.put(one, a_chunk(name)) for name in ("a", "b")]
    yours = await place.chunks.put(two, a_chunk("a"))
    assert {each.name for each in await place.chunks.list(one)} == {ref.name for ref in mine}
    assert {each.name for each in await place.chunks.list(two)} == {yours.name}
    assert mine[0].name != yours.name


async def test_a_new_registry_has_no_chunks(place: Place) -> None:
    assert await place.chunks.list(await place.new_owner("corp")) == []


async def test_a_missing_chunk_is_named(place: Place) -> None:
    ref = a_chunk("a").ref("corp-s-0123456789abcdef")
    error = await refusal(place, name="corp", ref=ref)
    assert error.code is Code.SNAPSHOT_DAMAGED
    assert "corp-s-0123456789abcdef is missing" in error.message


async def test_other_bytes_in_the_place_of_a_chunk_are_noticed(place: Place) -> None:
    owner = await place.new_owner("corp")
    ref = await place.chunks.put(owner, a_chunk("a"))
    await place.spoil(owner, ref)
    with pytest.raises(ThvError) as error:
        await place.chunks.get(owner, ref)
    assert error.value.code is Code.SNAPSHOT_DAMAGED
    assert ref.name in error.value.message


async def test_a_deleted_chunk_is_gone_and_others_stay(place: Place) -> None:
    owner = await place.new_owner("corp")
    old, new = [await place.chunks.put(owner, a_chunk(name)) for name in ("old", "new")]
    await place.chunks.delete(owner, old.name)
    assert [each.name for each in await place.chunks.list(owner)] == [new.name]
    assert (await place.chunks.get(owner, new)).startswith(b"{")
    again = await place.chunks.put(owner, a_chunk("old"))
    assert again == old


async def test_deleting_a_missing_chunk_is_no_error(place: Place) -> None:
    await place.chunks.delete(await place.new_owner("corp"), "corp-s-0123456789abcdef")
