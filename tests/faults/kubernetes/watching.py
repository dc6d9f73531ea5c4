"""The faults of a watch: what becomes of its events on their way."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import msgspec

from tests.faults.kubernetes.faults import Dice, Faults, status_object
from tests.faults.kubernetes.history import EVERY


class _Metadata(msgspec.Struct, omit_defaults=True):
    name: str = ""
    namespace: str = ""


class _Object(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _Event(msgspec.Struct):
    type: str
    object: _Object


_whole = msgspec.json.Decoder(dict[str, msgspec.Raw])
_event = msgspec.json.Decoder(_Event)
_EXPIRED = msgspec.json.encode({"type": "ERROR", "object": status_object(410)}) + b"\n"


async def disturbed(
    events: AsyncIterator[bytes], present: Callable[[], Faults], dice: Dice
) -> AsyncGenerator[bytes, None]:
    """The events that the client gets; it ends when the watch is to be closed."""
    began, told = time.monotonic(), 0
    async with contextlib.aclosing(_batches(events, present, began)) as batches:
        async for event in _each(batches):
            faults = present()
            if dice.falls(faults.expire):
                yield _EXPIRED
                return
            yield event
            if dice.falls(faults.duplicate):
                yield event
            told += 1
            if faults.close_every and told >= faults.close_every:
                return


async def _each(batches: AsyncIterator[list[bytes]]) -> AsyncIterator[bytes]:
    async for batch in batches:
        for event in batch:
            yield event


async def _batches(
    events: AsyncIterator[bytes], present: Callable[[], Faults], began: float
) -> AsyncGenerator[list[bytes], None]:
    """Events in the groups in which they are told: single ones, or what a while comes to."""
    queue: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue()
    task = asyncio.create_task(_fill(queue, events))
    try:
        while True:
            batch = await _next(queue, present, began)
            if batch is None:
                return
            yield batch
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError, EOFError):
            await task


async def _fill(
    queue: asyncio.Queue[tuple[float, bytes] | None], events: AsyncIterator[bytes]
) -> None:
    try:
        async for event in events:
            queue.put_nowait((time.monotonic(), event))
    finally:
        queue.put_nowait(None)


async def _next(
    queue: asyncio.Queue[tuple[float, bytes] | None], present: Callable[[], Faults], began: float
) -> list[bytes] | None:
    """The next group, None when the watch ends; an empty one is only a chance to look at the faults again."""
    limit = present().close_after
    if limit and time.monotonic() - began > limit:
        return None
    try:
        item = await asyncio.wait_for(queue.get(), 0.1)
    except TimeoutError:
        return []
    if item is None:
        return None
    (came, event), faults = item, present()
    if faults.silent:
        return []
    await asyncio.sleep(max(0.0, came + _lag(faults) - time.monotonic()))
    if not faults.coalesce:
        return [event]
    await asyncio.sleep(faults.coalesce)
    more = [queue.get_nowait() for _ in range(queue.qsize())]
    batch = coalesced([event, *(item[1] for item in more if item is not None)])
    if more and more[-1] is None:
        queue.put_nowait(None)
    return batch


def _lag(faults: Faults) -> float:
    """No server tells of what it would not show to somebody who asks."""
    return max(faults.lag, faults.stale + 2 * EVERY if faults.stale else 0.0)


def coalesced(events: list[bytes]) -> list[bytes]:
    """What a client that was away for these events would find: of each object the last state, and no name twice."""
    first: dict[tuple[str, str], str] = {}
    last: dict[tuple[str, str], tuple[str, bytes]] = {}
    others: list[bytes] = []
    for line in events:
        event = _event.decode(line)
        key = event.object.metadata.namespace, event.object.metadata.name
        if event.type not in ("ADDED", "MODIFIED", "DELETED"):
            others.append(line)
            continue
        first.setdefault(key, event.type)
        last.pop(key, None)
        last[key] = event.type, line
    kept = [_retold(first[key], *said) for key, said in last.items()]
    return [*(line for line in kept if line), *others]


def _retold(first: str, now: str, line: bytes) -> bytes:
    """The last event of an object, as seen by somebody who knew it before the first; `b""`: nothing was seen."""
    if now == "DELETED":
        return b"" if first == "ADDED" else line
    kind = "ADDED" if first == "ADDED" else "MODIFIED"
    return msgspec.json.encode({**_whole.decode(line), "type": kind}) + b"\n"
