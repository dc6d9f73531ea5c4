"""Waits until a server that was installed runs.

In the flow: after `installing`, where somebody asked for it. Who runs servers says so in their status; nothing here
starts one.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from thv.apps.cli.exits import CommandError, Exit
from thv.apps.cli.installing import Done, remedies_of
from thv.apps.cli.output import took
from thv.apps.cli.session import Session
from thv.catalog.installed import UP
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.resources import metadata_of, name_of, namespace_of, resource_version_of
from thv.stores.resources.base import EventType


async def started(session: Session, done: Done, timeout: float) -> JsonObject:
    """The server once it runs; raises when the time is up, or when it is removed meanwhile."""
    seen = done.obj
    watch = session.place.resources.watch(
        done.kind, namespace_of(seen), since=resource_version_of(seen), name=name_of(seen)
    )
    try:
        async with asyncio.timeout(timeout), aclosing(watch) as events:
            if _runs(seen):
                return seen
            async for event in events:
                if event.type is EventType.DELETED:
                    raise _removed(seen)
                if event.type is not EventType.BOOKMARK:
                    seen = event.object
                if _runs(seen):
                    return seen
    except TimeoutError:
        pass
    raise _timed_out(session, done, seen, timeout)


def _runs(server: JsonObject) -> bool:
    """Whether the status is about this spec, as far as it says so, and good."""
    status = _status(server)
    generation = metadata_of(server).get("generation")
    about = status.get("observedGeneration", generation)
    return status.get("phase") in UP and about == generation


def _status(server: JsonObject) -> dict[str, Any]:
    status = server.get("status")
    return status if isinstance(status, dict) else {}


def _removed(server: JsonObject) -> CommandError:
    return CommandError(Code.NOT_FOUND, f'the server "{name_of(server)}" was removed meanwhile')


def _timed_out(session: Session, done: Done, seen: JsonObject, timeout: float) -> CommandError:
    status, name = _status(seen), name_of(seen)
    said = ": ".join(str(status[key]) for key in ("phase", "message") if status.get(key))
    look = remedies_of(session).kubectl(
        "describe", done.kind.resource, name, namespace=namespace_of(seen)
    )
    return CommandError(
        Code.SOURCE_TIMEOUT,
        f'the server "{name}" is installed, but did not start within {took(timeout)}',
        cause=said
        or f"nobody has said anything about it: does an operator run {done.kind.resource}?",
        tries=[look, f"{session.program} list{session.there(namespace_of(seen))}"],
        exit_code=Exit.PENDING,
    )
