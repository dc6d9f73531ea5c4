"""What pods write, a line after the other.

In the flow: behind `thv registry logs` on a cluster. The API server hands on the log of each pod as a stream; those of
several pods come together as they are written, or one after the other when nobody waits for more.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from thv.clients.kube.client import KubeClient
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import POD, name_of, namespace_of
from thv.stores.resources.kubernetes_errors import What, translated
from thv.stores.resources.kubernetes_paths import resource

_WAITING = 256
"""Lines that are read and not yet printed."""
_BEGINS = re.compile(r"\d{4}-\d\d-\d\dT|\{")
"""How a record begins; what begins otherwise, such as a traceback, goes on with the one before."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines."""

    follow: bool = False
    tail: int | None = None
    since: float | None = None
    """Seconds."""

    def query(self, container: str) -> dict[str, str]:
        """As the API server takes it."""
        asked = {
            "container": container,
            "follow": "true" if self.follow else "",
            "tailLines": "" if self.tail is None else str(self.tail),
            "sinceSeconds": "" if self.since is None else str(max(1, round(self.since))),
        }
        return {key: value for key, value in asked.items() if value}


class PodLine(msgspec.Struct, frozen=True):
    """A line and the pod that wrote it."""

    pod: str
    text: str


class About:
    """Tells the records about one registry from those about others."""

    def __init__(self, namespace: str, name: str) -> None:
        key = re.escape(f"{namespace}/{name}")
        self._key = re.compile(rf"(?<![\w./-]){key}(?![\w./-])")
        self._keeps = False

    def keeps(self, line: str) -> bool:
        """Whether the line belongs to a record that names the registry."""
        if _BEGINS.match(line):
            self._keeps = self._key.search(line) is not None
        return self._keeps


async def lines_of(
    client: KubeClient, pods: Sequence[JsonObject], wish: Wish
) -> AsyncGenerator[PodLine, None]:
    """The lines of the pods; raises when all of them refuse, as one without a container to read from does."""
    streams = [_log(client, pod, wish) for pod in pods]
    if wish.follow and len(streams) > 1:
        async with aclosing(_merged(streams)) as lines:
            async for line in lines:
                yield line
        return
    for stream in streams:
        async with aclosing(stream) as lines:
            async for line in lines:
                yield line


async def _log(client: KubeClient, pod: JsonObject, wish: Wish) -> AsyncGenerator[PodLine, None]:
    """The lines of one pod; a pod that is gone meanwhile has none."""
    namespace, name = namespace_of(pod), name_of(pod)
    query = wish.query(str(pod["spec"]["containers"][0]["name"]))
    path, idle = resource(POD, namespace, name, "log"), None if wish.follow else 90.0
    try:
        with translated(What(POD, namespace, name)):
            async with aclosing(client.lines(path, query=query, idle=idle)) as lines:
                async for line in lines:
                    yield PodLine(name, line.decode(errors="replace").rstrip("\r"))
    except ThvError as error:
        if error.code is not Code.NOT_FOUND:
            raise


async def _merged(
    streams: Sequence[AsyncGenerator[PodLine, None]],
) -> AsyncGenerator[PodLine, None]:
    """All of them at once, until the last one ends; an error of one ends all."""
    queue: asyncio.Queue[PodLine | ThvError | None] = asyncio.Queue(_WAITING)

    async def pump(stream: AsyncGenerator[PodLine, None]) -> None:
        try:
            async with aclosing(stream) as lines:
                async for line in lines:
                    await queue.put(line)
        except ThvError as error:
            await queue.put(error)
        else:
            await queue.put(None)

    tasks = [asyncio.create_task(pump(stream)) for stream in streams]
    try:
        for _ in streams:
            while (item := await queue.get()) is not None:
                if isinstance(item, ThvError):
                    raise item
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def is_starting(error: ThvError) -> bool:
    """Whether a pod has written nothing because it does not run yet."""
    return error.code is Code.INVALID and "waiting to start" in error.message
