"""Tells the person at the terminal what happens to registries while the process runs.

In the flow: beside the loop; it reads the status of registries and nothing else.
"""

from __future__ import annotations

from typing import NamedTuple

from thv.apps.cli.console import Console
from thv.apps.cli.output import counted
from thv.apps.kit.loop import View, observed
from thv.domain.canonical import JsonObject
from thv.domain.errors import ThvError
from thv.domain.registry import Registry, load_registry
from thv.domain.resources import MCP_REGISTRY, name_of, namespace_of
from thv.stores.resources.base import ResourceStore


class Reporter:
    """Says each change of a registry once."""

    def __init__(self, resources: ResourceStore, console: Console) -> None:
        self._resources = resources
        self._console = console
        self._said: dict[tuple[str, str], str] = {}

    async def run(self) -> None:
        """Goes on until it is cancelled; what is known when it begins is not said."""
        for obj in (await self._resources.list(MCP_REGISTRY)).items:
            self._said[namespace_of(obj), name_of(obj)] = _news(obj).about
        async for obj, gone in observed(self._resources, View(kind=MCP_REGISTRY)):
            self._say(obj, gone=gone)

    def _say(self, obj: JsonObject, *, gone: bool) -> None:
        key = (namespace_of(obj), name_of(obj))
        news = _News("note", "removed", "removed") if gone else _news(obj)
        if news.text and news.about != self._said.get(key):
            self._console.step(news.symbol, f"{key[0]}/{key[1]}: {news.text}")
        self._said[key] = news.about


class _News(NamedTuple):
    symbol: str
    text: str
    about: str
    """The same as long as there is nothing new to say."""


def _news(obj: JsonObject) -> _News:
    """What there is to say of a registry."""
    try:
        registry = load_registry(obj)
    except ThvError as error:
        return _News("fail", error.message, error.message)
    failure = registry.status.sync_status.error
    if failure is not None:
        text = f"{failure.code}: {failure.message}"
        return _News("fail", text, text)
    snapshot = registry.status.snapshot
    if snapshot is None:
        waits = registry.status.waits_because
        return _News("wait", waits, waits)
    servers = counted(registry.status.server_count, "server")
    return _News("ok", f"{servers}{_changes(registry)}", snapshot.digest)


def _changes(registry: Registry) -> str:
    """What the last sync changed."""
    runs = registry.status.sync_status.history
    last = max(runs, key=lambda run: run.finished_at, default=None)
    if last is None or not (last.added or last.changed or last.removed):
        return ""
    return f"  +{last.added} ~{last.changed} -{last.removed}"
