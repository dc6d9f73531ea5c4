"""One sync of some registries, asked for by a person who waits for it.

In the flow: behind `thv registry sync`, `add` and `import`. The request is written into the registry first, by the
same annotation everywhere. On a cluster the operator answers it. Of a data folder whoever holds its lock does: this
process when nobody else, or the running `thv serve`, whose answer is awaited.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec

from thv.apps.cli.advice import sync_error
from thv.apps.cli.exits import CommandError, Exit
from thv.apps.cli.following import LOOK_EVERY, followed
from thv.apps.cli.loader import load
from thv.apps.cli.output import counted, took
from thv.apps.cli.registries import Shelf, again
from thv.apps.cli.session import Session
from thv.apps.cli.verbs import MANAGER
from thv.domain.canonical import JsonObject
from thv.domain.conditions import condition_of
from thv.domain.errors import Code
from thv.domain.registry_status import SyncError, SyncRun
from thv.domain.resources import MCP_REGISTRY, PREFIX
from thv.domain.times import render_time
from thv.sync.due import FORCED, requested
from thv.sync.hierarchy import neighbour_of

if TYPE_CHECKING:
    from thv.apps.cli.foreground import Foreground

COMMAND = "thv registry"
"""How the note of a lock begins that a command holds for a moment."""
OTHERS_PATIENCE = 600.0
"""Seconds that another process may take, unless --timeout says otherwise."""
SILENCE = 60.0
"""Seconds without any news of a registry, after which no operator seems to be there."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """How to synchronize."""

    wait: bool = True
    timeout: float | None = None
    force: bool = False
    """Fetch everything anew, whatever the source says of changes."""
    asked: bool = False
    """The registries were stored together with the request."""


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the sync of one registry."""

    shelf: Shelf
    run: SyncRun | None = None
    """What it changed; None when it changed nothing."""
    error: SyncError | None = None
    pending: bool = False
    seconds: float = 0.0
    fetched_in: float | None = None
    entries: int = 0
    """How many came in pages, where this process fetched them."""

    @property
    def outcome(self) -> str:
        """One word for programs."""
        if self.pending:
            return "Pending"
        if self.error is not None:
            return "Failed"
        return "Unchanged" if self.run is None else "Succeeded"


async def synchronize(session: Session, shelves: Sequence[Shelf], order: Order) -> list[Synced]:
    """Asks for the syncs and waits for them, those that others read first."""
    ordered = _ordered(shelves)
    asked = (
        ordered
        if order.asked
        else [await _request(session, shelf, force=order.force) for shelf in ordered]
    )
    if not order.wait:
        return [_left_to_others(session, shelf) for shelf in asked]
    waiting = _Waiting(session, order)
    results: list[Synced] = []
    try:
        for before, shelf in zip(ordered, asked, strict=True):
            results.append(await waiting.for_one(before, shelf))
            say(session, results[-1], alone=len(asked) == 1)
    except asyncio.CancelledError:
        todo = asked[len(results)].command("registry", "sync", asked[len(results)].name)
        session.console.step("note", f"stopped; the next sync goes on where this one was: {todo}")
        raise
    finally:
        await waiting.close()
    return results


class _Waiting:
    """Waits for answers, or gives them itself."""

    def __init__(self, session: Session, order: Order) -> None:
        self._session = session
        self._order = order
        self._here: Foreground | None = None
        self._said = False
        loop = asyncio.get_running_loop()
        self._until = None if order.timeout is None else loop.time() + order.timeout

    async def for_one(self, before: Shelf, asked: Shelf) -> Synced:
        """The answer to one request; `before` is the registry before it, which others may have synced since."""
        self._session.console.step("begin", f"requesting sync of {asked.title}")
        loop = asyncio.get_running_loop()
        began = loop.time()
        line = load("thv.apps.cli.progress:ProgressLine")(self._session.console, before.name)
        try:
            async with asyncio.timeout_at(self._until):
                after = await self._answered(asked, line)
        except TimeoutError:
            line.clear()
            raise _too_slow(await again(asked), took(loop.time() - began)) from None
        seconds = loop.time() - began
        done = _result(before, after, seconds)
        return msgspec.structs.replace(
            done, fetched_in=line.fetched_in or None, entries=line.entries
        )

    async def _answered(self, shelf: Shelf, line: Any) -> Shelf:
        if shelf.place.on_cluster:
            return await _told(shelf, line)
        loop = asyncio.get_running_loop()
        patience = loop.time() + OTHERS_PATIENCE
        while not is_answered(shelf):
            if self._takes_over():
                assert self._here is not None  # noqa: S101 # `_takes_over` opened it
                return await self._here.sync(shelf, line)
            if loop.time() > patience:
                raise TimeoutError
            await asyncio.sleep(LOOK_EVERY)
            shelf = await again(shelf)
        return shelf

    def _takes_over(self) -> bool:
        """Whether this process synchronizes; it does from the moment on in which no other does."""
        if self._here is not None:
            return True
        lock = self._session.local.lock
        if lock.acquire(f"{COMMAND} sync (pid {os.getpid()})"):
            self._here = load("thv.apps.cli.foreground:Foreground")(self._session)
            return True
        if not self._said:
            self._said = True
            self._say_who(lock.holder())
        return False

    def _say_who(self, holder: str) -> None:
        """A service answers soon; another command may take its time."""
        console = self._session.console
        if holder.startswith(COMMAND):
            console.step("wait", f"waiting for {holder}")
        elif holder:
            console.detail(f"{holder} synchronizes this data folder")

    async def close(self) -> None:
        """Lets others synchronize again."""
        if self._here is not None:
            await self._here.close()
            self._session.local.lock.release()


async def _told(shelf: Shelf, line: Any) -> Shelf:
    """The registry once the operator has answered; raises when nobody does anything."""
    loop = asyncio.get_running_loop()
    silence = asyncio.timeout(SILENCE)
    try:
        async with silence, aclosing(followed(shelf)) as states:
            async for now in states:
                silence.reschedule(loop.time() + SILENCE)
                if is_answered(now):
                    line.clear()
                    return now
                if now.registry.status.sync_status.progress is not None:
                    line.report(load("thv.apps.cli.progress:so_far")(now.registry.status))
    except TimeoutError:
        if not silence.expired():
            raise
        raise _nobody_there(shelf) from None
    raise CommandError(Code.NOT_FOUND, f"{shelf.title} was deleted before it was synchronized")


def _nobody_there(shelf: Shelf) -> CommandError:
    return CommandError(
        Code.STORE_UNAVAILABLE,
        f"nobody answered the request to synchronize {shelf.title} within {took(SILENCE)}",
        cause=f'no operator seems to keep the namespace "{shelf.namespace}"',
        tries=["kubectl get deployments -A -l app.kubernetes.io/name=toolhive-registry-operator"],
        exit_code=Exit.PENDING,
    )


def is_answered(shelf: Shelf) -> bool:
    """Whether the last request for a sync was obeyed."""
    return requested(shelf.registry) in ("", shelf.registry.status.last_handled_sync_request)


def say(session: Session, done: Synced, *, alone: bool) -> None:
    """The lines about one sync that came to its end; the only one that failed is the error of the command."""
    console, shelf = session.console, done.shelf
    status = shelf.registry.status
    if done.error is not None:
        if not alone:
            console.step("fail", f"{shelf.title}: {done.error.message}")
        return
    console.step("wait", _fetched(done))
    console.step("ok", _counts(done))
    for problem in _problems(done):
        console.step("note", problem)
    held = counted(status.server_count, "server")
    if status.version_count != status.server_count:
        held += f", {counted(status.version_count, 'version')}"
    console.step("ok", f"{shelf.title} synced in {took(done.seconds)}: {held}")


def short(revision: str) -> str:
    """As much of a revision as tells one from another; times and names stay whole."""
    prefix, colon, digest = revision.rpartition(":")
    if len(digest) >= 32 and digest.isalnum():
        return f"{prefix}{colon}{digest[:8]}"
    return revision[:40]


def result_of(done: Synced) -> JsonObject:
    """The result for programs."""
    status = done.shelf.registry.status
    run, statistics, conversion = done.run, status.statistics, status.sync_status.conversion
    result: JsonObject = {
        "namespace": done.shelf.namespace,
        "name": done.shelf.name,
        "outcome": done.outcome,
        "revision": status.sync_status.revision,
        "snapshot": status.snapshot.digest if status.snapshot else "",
        "servers": status.server_count,
        "versions": status.version_count,
        "added": run.added if run else 0,
        "changed": run.changed if run else 0,
        "removed": run.removed if run else 0,
        "filtered": statistics.filtered_out + statistics.blocked if statistics else 0,
        "invalid": conversion.skipped if conversion else 0,
        "durationMilliseconds": round(done.seconds * 1000),
    }
    if done.error is not None:
        result["error"] = {"code": done.error.code, "message": done.error.message}
    return result


def require_good(results: Sequence[Synced]) -> None:
    """Raises the error of a sync that failed; of several, one that counts them."""
    failed = [done for done in results if done.error is not None]
    if not failed:
        return
    errors = [sync_error(done.shelf, done.error) for done in failed if done.error is not None]
    if len(results) == 1:
        raise errors[0]
    codes = {error.code for error in errors}
    raise CommandError(
        errors[0].code,
        f"{len(failed)} of {len(results)} registries could not be synchronized",
        tries=[done.shelf.command("registry", "status", done.shelf.name) for done in failed],
        exit_code=None if len(codes) == 1 else Exit.FAILED,
        details={"failed": [done.shelf.title for done in failed]},
    )


def request_now(session: Session, *, force: bool = False) -> JsonObject:
    """The annotations that ask for a sync."""
    value = render_time(session.local.clock(), milliseconds=True)
    asks: JsonObject = {PREFIX + "sync-requested-at": value}
    return {**asks, PREFIX + FORCED: value} if force else asks


async def _request(session: Session, shelf: Shelf, *, force: bool) -> Shelf:
    asks = request_now(session, force=force)
    await shelf.place.resources.merge(
        MCP_REGISTRY,
        shelf.namespace,
        shelf.name,
        {"metadata": {"annotations": asks}},
        manager=MANAGER,
    )
    return await again(shelf)


def _left_to_others(session: Session, shelf: Shelf) -> Synced:
    session.console.step("begin", f"requested sync of {shelf.title}")
    if not shelf.place.on_cluster and not session.local.lock.holder():
        line = (
            "nobody keeps this data folder in sync; the next thv serve or thv registry sync does it"
        )
        session.console.step("note", line)
    return Synced(shelf=shelf, pending=True)


def _result(before: Shelf, after: Shelf, seconds: float) -> Synced:
    old, new = before.registry.status.sync_status, after.registry.status.sync_status
    run = new.history[0] if new.history[:1] != old.history[:1] else None
    waits = _wait_of(after)
    return Synced(
        shelf=after,
        run=run if run is not None and run.outcome == "Succeeded" else None,
        error=waits or new.error,
        pending=waits is not None,
        seconds=seconds,
    )


def _wait_of(shelf: Shelf) -> SyncError | None:
    """What was asked for was not done, though nothing failed."""
    because = shelf.registry.status.waits_because
    return (
        SyncError(code=Code.SOURCE_NOT_READY.value, message=because, next="wait")
        if because
        else None
    )


def _fetched(done: Synced) -> str:
    status = done.shelf.registry.status
    sync, source = status.sync_status, condition_of(status.conditions, "SourceAvailable")
    revision = f", revision {short(sync.revision)}" if sync.revision else ""
    if source is not None and source.reason == "NotModified":
        return f"the source has not changed{revision}"
    read = sync.conversion.read if sync.conversion and not done.entries else done.entries
    time = f" ({took(done.fetched_in)})" if done.fetched_in else ""
    return f"fetched {counted(read, 'entry', 'entries')}{revision}{time}"


def _counts(done: Synced) -> str:
    status = done.shelf.registry.status
    run, statistics, conversion = done.run, status.statistics, status.sync_status.conversion
    filtered = statistics.filtered_out + statistics.blocked if statistics else 0
    invalid = conversion.skipped if conversion else 0
    kept_out = f"{filtered:,} filtered out  {invalid:,} invalid"
    if run is None:
        return f"nothing changed  {kept_out}"
    return f"+{run.added:,} added  ~{run.changed:,} changed  -{run.removed:,} removed  {kept_out}"


def _problems(done: Synced) -> list[str]:
    """What a person should know about content that was taken."""
    found = [c for c in done.shelf.registry.status.conditions if c.type == "DataValid"]
    wanted = ("ParsedWithSkips", "FilterMatchedNothing")
    return [condition.message for condition in found if condition.reason in wanted]


def _too_slow(shelf: Shelf, waited: str) -> CommandError:
    progress = shelf.registry.status.sync_status.progress
    seen = f"{counted(progress.entries, 'entry', 'entries')} were read" if progress else ""
    return CommandError(
        Code.SOURCE_TIMEOUT,
        f"{shelf.title} was not synchronized within {waited}",
        cause=seen,
        tries=[f"{shelf.command('registry', 'sync', shelf.name)}   (goes on where it was)"],
        exit_code=Exit.PENDING,
    )


def _ordered(shelves: Sequence[Shelf]) -> list[Shelf]:
    """Registries that others read come before those."""
    by_key = {(shelf.namespace, shelf.name): shelf for shelf in shelves}
    ordered: dict[tuple[str, str], Shelf] = {}

    def visit(shelf: Shelf, below: tuple[tuple[str, str], ...]) -> None:
        key = (shelf.namespace, shelf.name)
        read = by_key.get((shelf.namespace, neighbour_of(shelf.registry)))
        if read is not None and (read.namespace, read.name) not in (*below, key):
            visit(read, (*below, key))
        ordered.setdefault(key, shelf)

    for shelf in shelves:
        visit(shelf, ())
    return list(ordered.values())
