"""What every kind of source promises, whatever it reads."""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.contracts.source.world import CANARY, World, names_in
from thv.domain.errors import Code, Next, ThvError
from thv.sources.base import Document, Fetched, Known, Page, Pages, Source, Unchanged

pytestmark = pytest.mark.anyio

A, B, C = "io.contract/a", "io.contract/b", "io.contract/c"


async def read(fetched: Fetched) -> tuple[list[str], Known]:
    """The names, and what to keep."""
    if isinstance(fetched, Document):
        return await names_in(fetched), fetched.known
    assert isinstance(fetched, Pages)
    known, content = Known(), []
    async for page in fetched.pages:
        known = page.known
        content.append(Pages(_once(page), complete=True))
    return sorted({name for each in content for name in await names_in(each)}), known


async def _once(page: Page) -> AsyncIterator[Page]:
    yield page


async def test_first_fetch_gives_everything(world: World) -> None:
    world.publish([A, B])
    names, _ = await read(await world.source().fetch(Known()))
    assert names == [A, B]


async def test_nothing_new_is_unchanged(world: World) -> None:
    world.publish([A, B])
    _, known = await read(await world.source().fetch(Known()))
    assert isinstance(await world.source().fetch(known), Unchanged)


async def test_unchanged_twice_stays_unchanged(world: World) -> None:
    world.publish([A])
    _, known = await read(await world.source().fetch(Known()))
    again = await world.source().fetch(known)
    assert isinstance(again, Unchanged)
    assert isinstance(await world.source().fetch(again.known), Unchanged)


async def test_new_content_is_fetched(world: World) -> None:
    world.publish([A, B])
    _, known = await read(await world.source().fetch(Known()))
    world.publish([B, C])
    names, later = await read(await world.source().fetch(known))
    assert names == [B, C]
    assert later != known


async def test_empty_known_asks_for_everything_again(world: World) -> None:
    world.publish([A, B])
    first, known = await read(await world.source().fetch(Known()))
    second, again = await read(await world.source().fetch(Known()))
    assert second == first
    assert again == known


async def test_known_of_another_origin_is_not_believed(world: World) -> None:
    world.publish([A])
    _, known = await read(await world.source().fetch(Known()))
    foreign = msgspec.structs.replace(known, origin="somebody else's")
    names, own = await read(await world.source().fetch(foreign))
    assert names == [A]
    assert own.origin == world.source().origin


async def test_equal_specs_have_equal_origins(world: World) -> None:
    assert world.source().origin == world.source().origin != world.other().origin


async def test_known_survives_storage(world: World) -> None:
    world.publish([A])
    _, known = await read(await world.source().fetch(Known()))
    assert msgspec.json.decode(msgspec.json.encode(known), type=Known) == known
    assert known.origin == world.source().origin


async def test_revision_tells_contents_apart(world: World) -> None:
    world.publish([A])
    _, first = await read(await world.source().fetch(Known()))
    world.publish([B])
    _, second = await read(await world.source().fetch(first))
    assert first.revision != second.revision


async def test_unread_content_harms_nothing(world: World) -> None:
    world.publish([A])
    for _ in range(12):
        await world.source().fetch(Known())
    names, _ = await read(await world.source().fetch(Known()))
    assert names == [A]


async def test_half_read_content_harms_nothing(world: World) -> None:
    world.publish([A])
    fetched = await world.source().fetch(Known())
    if isinstance(fetched, Document):
        async for part in fetched.parts:
            async for _ in part.chunks:
                break
            break
    assert (await read(await world.source().fetch(Known())))[0] == [A]


async def test_a_missing_place_is_not_found(world: World) -> None:
    world.publish([A])
    world.remove()
    with pytest.raises(ThvError) as caught:
        await read(await world.source().fetch(Known()))
    assert caught.value.code in (Code.SOURCE_NOT_FOUND, Code.PATH_NOT_FOUND)
    assert caught.value.next is Next.NEVER


async def test_a_place_that_comes_back_is_read(world: World) -> None:
    world.publish([A])
    _, known = await read(await world.source().fetch(Known()))
    world.remove()
    with pytest.raises(ThvError):
        await read(await world.source().fetch(known))
    world.publish([B])
    names, _ = await read(await world.source().fetch(known))
    assert names == [B]


async def test_a_shut_place_is_an_error_of_ours(world: World) -> None:
    world.publish([A])
    _shut(world)
    with pytest.raises(ThvError) as caught:
        await read(await world.source().fetch(Known()))
    assert caught.value.code in (Code.SOURCE_UNREACHABLE, Code.SOURCE_TIMEOUT, Code.FORBIDDEN)


async def test_more_than_the_limit_is_refused(world: World) -> None:
    world.publish([f"io.contract/{number:04}" for number in range(50)])
    source = _small(world)
    with pytest.raises(ThvError) as caught:
        await read(await source.fetch(Known()))
    assert caught.value.code is Code.SIZE_LIMIT_EXCEEDED


@pytest.mark.requirement("OPS-07")
async def test_no_secret_shows_up(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    world.publish([A])
    fetched = await world.source().fetch(Known())
    _, known = await read(await world.source().fetch(Known()))
    texts += [repr(fetched), repr(known), repr(world.source()), world.source().origin]
    for spoil in (world.remove, lambda: _shut(world)):
        spoil()
        try:
            await read(await world.source().fetch(Known()))
        except ThvError as e:
            texts += [repr(e), str(e), e.hint, repr(e.details), *traceback.format_exception(e)]
    texts += [record.getMessage() for record in caplog.records]
    assert CANARY not in "\n".join(texts)


def _shut(world: World) -> None:
    try:
        world.shut()
    except NotImplementedError:
        pytest.skip("this kind cannot be shut")


def _small(world: World) -> Source:
    try:
        return world.small()
    except NotImplementedError:
        pytest.skip("this kind has no limit of its own")
