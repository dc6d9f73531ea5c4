"""Requests that are sent twice: one is carried out, both are answered."""

from __future__ import annotations

import asyncio

import pytest

from thv.apps.kit.http.idempotency import KEPT_FOR, MOST, Idempotency
from thv.apps.kit.http.message import Answer, Request, json_answer
from thv.apps.kit.http.problems import ProblemError, Word

pytestmark = pytest.mark.anyio


class Counted:
    """Carries out what it is asked, and counts."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done = 0
        self.begun = asyncio.Event()
        self.held: asyncio.Event | None = None
        self.idempotency = Idempotency(lambda: self.now)

    async def _make(self) -> Answer:
        self.done += 1
        self.begun.set()
        if self.held is not None:
            await self.held.wait()
        return json_answer({"number": self.done}, status=201)

    async def send(
        self,
        key: str | None = "k",
        *,
        caller: str = "ada",
        content: str = "c",
        path: bytes = b"/a",
        query: bytes = b"",
    ) -> Answer:
        headers = {} if key is None else {b"idempotency-key": key.encode("latin-1")}
        request = Request(method="POST", path=path, query=query, headers=headers)
        return await self.idempotency.once(request, caller=caller, content=content, make=self._make)


async def refusal(counted: Counted, key: str = "k", *, content: str = "c") -> Word:
    with pytest.raises(ProblemError) as caught:
        await counted.send(key, content=content)
    return caught.value.word


async def test_the_same_is_done_once_and_answered_twice() -> None:
    counted = Counted()
    first, again = await counted.send(), await counted.send()
    assert (first.status, first.body) == (again.status, again.body)
    assert (b"idempotency-replayed", b"true") in again.headers
    assert (b"idempotency-replayed", b"true") not in first.headers
    assert counted.done == 1


async def test_another_body_caller_path_parameter_or_day_is_another_request() -> None:
    counted = Counted()
    await counted.send()
    assert await refusal(counted, content="other") is Word.IDEMPOTENCY_KEY_REUSED
    await counted.send(caller="bob")
    await counted.send(path=b"/b")
    await counted.send(query=b"dry_run=true")
    await counted.send(None)
    await counted.send(None)
    counted.now += KEPT_FOR + 1
    await counted.send(content="other")
    assert counted.done == 7


async def test_while_the_first_is_answered_the_second_is_to_come_again() -> None:
    counted = Counted()
    counted.held = asyncio.Event()
    first = asyncio.ensure_future(counted.send())
    await counted.begun.wait()
    assert await refusal(counted) is Word.IDEMPOTENCY_IN_FLIGHT
    counted.held.set()
    assert (await first).status == 201
    assert (await counted.send()).status == 201


async def test_of_two_that_come_together_one_is_carried_out() -> None:
    counted = Counted()
    found = await asyncio.gather(counted.send(), counted.send(), return_exceptions=True)
    assert counted.done == 1
    assert [getattr(each, "word", None) for each in found] == [None, Word.IDEMPOTENCY_IN_FLIGHT]


async def test_a_client_that_gave_up_is_answered_when_it_comes_again() -> None:
    counted = Counted()
    counted.held = asyncio.Event()
    first = asyncio.ensure_future(counted.send())
    await counted.begun.wait()
    first.cancel()
    await asyncio.wait([first])
    assert await refusal(counted) is Word.IDEMPOTENCY_IN_FLIGHT
    counted.held.set()
    await asyncio.sleep(0)
    again = await counted.send()
    assert (again.status, counted.done) == (201, 1)


async def test_a_refusal_is_not_remembered() -> None:
    counted = Counted()

    async def refused() -> Answer:
        raise ProblemError(Word.REGISTRY_EXISTS, "taken")

    request = Request(method="POST", path=b"/a", headers={b"idempotency-key": b"k"})
    with pytest.raises(ProblemError, match="taken"):
        await counted.idempotency.once(request, caller="ada", content="c", make=refused)
    assert (await counted.send()).status == 201


@pytest.mark.parametrize("key", ["x" * 65, "with space", "\x7f", "ü"])
async def test_a_key_has_visible_characters(key: str) -> None:
    assert await refusal(Counted(), key) is Word.INVALID_REQUEST


async def test_so_many_are_remembered_and_no_more() -> None:
    counted = Counted()
    for number in range(MOST + 10):
        await counted.send(f"k{number}")
    await counted.send("k0")
    assert counted.done == MOST + 11
    await counted.send(f"k{MOST}")
    assert counted.done == MOST + 11
